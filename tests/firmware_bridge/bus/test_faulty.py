"""The fault plan around a bus and a signal: each fault as a driver sees it, the same again by its seed."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.adxl345.driver import ADXL345
from firmware_bridge.adxl345.simulator import SimulatedADXL345
from firmware_bridge.arrays import TimeArray
from firmware_bridge.bus.fault_plan import Fault, FaultKind, FaultPlan
from firmware_bridge.bus.faulty import FaultyBus, drawn_plan
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError, SignalError
from firmware_bridge.signals import FaultySignal, Silence

DEVID = 0x00
BW_RATE = 0x2C


class Bench:
    """A chip behind a bus with faults."""

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        self.clock = SimulatedClock()
        inner = SimulatedBus("sim:bench", self.clock)
        inner.attach(0x53, SimulatedADXL345(self.clock, Silence()))
        self.bus = FaultyBus(inner, FaultPlan(faults, seed), self.clock, inner.power_cycle)

    def identity(self) -> bytes:
        return self.bus.read(0x53, DEVID, 1)


def fault(kind: FaultKind, at_s: float = 1.0, duration_s: float = 1.0, share: float = 1.0) -> Fault:
    return Fault(kind, at_s, duration_s, share)


@pytest.mark.parametrize(
    ("kind", "code", "cause"),
    [
        (FaultKind.NAK, errno.EREMOTEIO, "no answer from this address; check wiring"),
        (FaultKind.ARBITRATION, errno.EAGAIN, "lost arbitration: another master"),
        (FaultKind.TIMEOUT, errno.ETIMEDOUT, "power-cycle it, check the pull-ups"),
        (FaultKind.STUCK_SDA, errno.EBUSY, "a chip holds the data line low"),
        (FaultKind.BROWN_OUT, errno.ENXIO, "check wiring, address jumper and power"),
        (FaultKind.UNPLUGGED, errno.ENXIO, "check wiring, address jumper and power"),
    ],
)
def test_a_transfer_fails_as_the_kernel_tells_it(kind: FaultKind, code: int, cause: str) -> None:
    bench = Bench(fault(kind, duration_s=2.0))
    assert bench.identity() == b"\xe5"
    bench.clock.advance(1.0)
    for transfer in (bench.identity, lambda: bench.bus.write(0x53, BW_RATE, b"\x0d")):
        with pytest.raises(BusError, match=cause) as caught:
            transfer()
        error = caught.value
        assert (error.bus, error.address, error.code) == ("sim:bench", 0x53, code)
        assert f"errno {code}, {errno.errorcode[code]}" in str(error)
        bench.clock.advance(0.1)
    bench.clock.advance(2.0)
    assert bench.identity() == b"\xe5"


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUT, FaultKind.STUCK_SDA])
def test_a_line_held_low_takes_the_adapter_a_second(kind: FaultKind) -> None:
    bench = Bench(fault(kind, at_s=0.0))
    with pytest.raises(BusError):
        bench.identity()
    assert bench.clock.monotonic_ns() == 1_000_000_000


@pytest.mark.parametrize("kind", [FaultKind.BROWN_OUT, FaultKind.UNPLUGGED, FaultKind.SWAPPED])
def test_a_chip_comes_back_as_after_power_on(kind: FaultKind) -> None:
    bench = Bench(fault(kind))
    bench.bus.write(0x53, BW_RATE, b"\x0d")
    bench.clock.advance(2.0)
    assert bench.bus.read(0x53, BW_RATE, 1) == b"\x0a"
    bench.bus.write(0x53, BW_RATE, b"\x0d")
    bench.clock.advance(2.0)
    assert bench.bus.read(0x53, BW_RATE, 1) == b"\x0d"


def test_a_short_brown_out_that_no_transfer_met_resets_the_chip() -> None:
    bench = Bench(fault(FaultKind.BROWN_OUT, duration_s=0.0))
    sensor = ADXL345(bench.bus, bench.clock, address=None, rate_hz=800, range_g=16)
    sensor.start()
    bench.clock.advance(2.0)
    with pytest.raises(SensorError, match=r"lost its configuration \(POWER_CTL reads 0x00"):
        sensor.read_fifo()


def test_another_chip_has_another_identity() -> None:
    bench = Bench(fault(FaultKind.SWAPPED))
    sensor = ADXL345(bench.bus, bench.clock, address=None, rate_hz=800, range_g=16)
    bench.clock.advance(1.0)
    with pytest.raises(SensorError, match=r"DEVID reads 0x5a instead of 0xe5: another chip"):
        sensor.start()
    bench.clock.advance(1.0)
    sensor.start()


def test_one_bit_is_wrong() -> None:
    bench = Bench(fault(FaultKind.BIT_FLIPS, at_s=0.0), seed=7)
    answers = {bench.identity()[0] for _ in range(100)}
    assert all((answer ^ 0xE5).bit_count() == 1 for answer in answers)
    assert len(answers) == 8


def test_a_share_of_the_transfers_is_hit() -> None:
    bench = Bench(fault(FaultKind.NAK, at_s=0.0, share=0.25), seed=1)
    failed = 0
    for _ in range(1000):
        try:
            bench.identity()
        except BusError:
            failed += 1
    # Binomial: 250 and three standard deviations of 13.7.
    assert 209 <= failed <= 291


def test_a_burst_is_torn() -> None:
    bench = Bench(fault(FaultKind.NAK, at_s=1.0, share=0.1), seed=3)
    sensor = ADXL345(bench.bus, bench.clock, address=None, rate_hz=800, range_g=16)
    bench.clock.advance(0.98)
    sensor.start()
    bench.clock.advance(0.025)
    # 20 reads, each hit one time out of ten: some are taken out of the FIFO before the burst is torn.
    with pytest.raises(BusError):
        sensor.read_fifo()
    bench.clock.advance(1.0)
    assert sensor.read_fifo().lost > 0


seeds = st.integers(0, 1000)


@given(seeds)
def test_a_drawn_plan_follows_from_its_seed(seed: int) -> None:
    plan = drawn_plan(seed, 60.0, 12)
    assert plan == drawn_plan(seed, 60.0, 12)
    assert plan != drawn_plan(seed + 1, 60.0, 12)
    assert len(plan.plan) == 12
    ends_s = [0.0, *(fault.end_s for fault in plan.plan)]
    assert all(one.at_s >= end_s for one, end_s in zip(plan.plan, ends_s, strict=False))
    assert ends_s[-1] <= 60.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at_s": -1.0}, r"fault 'nak': at_s = -1\.0 .* must be 0 or above"),
        ({"at_s": float("nan")}, "at_s = nan"),
        ({"at_s": 0.0, "duration_s": -1.0}, r"duration_s = -1\.0"),
        ({"at_s": 0.0, "share": 0.0}, r"share = 0\.0 must be above 0, and at most 1"),
        ({"at_s": 0.0, "share": 1.5}, r"share = 1\.5"),
    ],
)
def test_impossible_faults_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(SignalError, match=message):
        fault(FaultKind.NAK, **options)
    with pytest.raises(SignalError, match="seed = -1"):
        FaultPlan(seed=-1)


def seconds(duration_s: float) -> TimeArray:
    return np.arange(round(duration_s * 800)) / 800


def test_a_frozen_axis_holds_its_last_value() -> None:
    plan = FaultPlan((Fault(FaultKind.FROZEN_AXIS, 1.0, 2.0, axis="y"),))
    felt_g = FaultySignal(Silence(seed=1), plan).acceleration_g(seconds(4))
    clean_g = Silence(seed=1).acceleration_g(seconds(4))
    assert np.ptp(felt_g[800:2400, 1]) == 0
    assert felt_g[800, 1] == clean_g[800, 1]
    felt_g[800:2400, 1] = clean_g[800:2400, 1]
    assert np.array_equal(felt_g, clean_g)


def test_a_saturated_axis_is_at_full_scale(clock: SimulatedClock, bus: SimulatedBus) -> None:
    plan = FaultPlan((Fault(FaultKind.SATURATED_AXIS, 0.0, 9.0, axis="z"),))
    bus.attach(0x53, SimulatedADXL345(clock, FaultySignal(Silence(), plan)))
    sensor = ADXL345(bus, clock, address=None, rate_hz=800, range_g=16)
    sensor.start()
    clock.advance(0.02)
    samples_g = sensor.read_fifo().samples_g
    # The last code of 13 bits: 4095 / 256.
    assert samples_g[:, 2].tolist() == [15.99609375] * len(samples_g)
    assert np.abs(samples_g[:, :2]).max() < 0.1


def test_a_loose_sensor_hangs_askew_and_rattles() -> None:
    plan = FaultPlan((Fault(FaultKind.LOOSE, 1.0, 20.0),), seed=5)
    felt_g = FaultySignal(Silence(noise_g=(0, 0, 0)), plan).acceleration_g(seconds(30))
    assert felt_g[:800] == pytest.approx(np.tile((0, 0, 1), (800, 1)))
    assert felt_g[-800:] == pytest.approx(np.tile((0, 0, 1), (800, 1)))
    loose_g = felt_g[800:16_800]
    assert loose_g.mean(axis=0) == pytest.approx((0.45, 0.3, 0.65), abs=0.1)
    assert 1.5 < np.abs(loose_g[:, 2] - 0.65).max() < 12


@given(st.lists(st.integers(0, 3200), max_size=6))
def test_a_faulty_signal_does_not_depend_on_how_it_is_asked_for(cuts: list[int]) -> None:
    kinds = (FaultKind.FROZEN_AXIS, FaultKind.SATURATED_AXIS, FaultKind.LOOSE)
    plan = FaultPlan(tuple(Fault(kind, 0.5 + i, 1.5) for i, kind in enumerate(kinds)), seed=2)
    whole = FaultySignal(Silence(seed=1), plan).acceleration_g(seconds(4))
    source = FaultySignal(Silence(seed=1), plan)
    parts = [source.acceleration_g(part) for part in np.split(seconds(4), sorted(cuts))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12, atol=1e-12)
