"""The ADXL345 driver on its simulated chip: start, drains, losses, rate, faults, self-test."""

from __future__ import annotations

import errno
import logging

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.adxl345.driver import ADXL345, decode
from firmware_bridge.adxl345.simulator import SimulatedADXL345
from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chip.accelerometer import SampleBlock
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.signals import SignalSource, Silence

RATES_HZ = [25, 50, 100, 200, 400, 800, 1600, 3200]  # the waits below are too short for slower ones


class Numbered:
    """A signal that numbers its samples: 2 LSB a step on x, 2000 steps a turn, the turns on y."""

    def __init__(self) -> None:
        self._made = 0

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        number = np.arange(self._made, self._made + len(times_s))
        self._made += len(times_s)
        turns = number // 2000
        return np.stack([(2 * (number % 2000) - 2000) / 256, 2 * turns / 256, 0 * turns], axis=1)


def numbers(block: SampleBlock) -> npt.NDArray[np.int64]:
    """Return which samples of ``Numbered`` arrived."""
    counts = np.rint(block.samples_g.astype(np.float64) * 256).astype(np.int64)
    return (counts[:, 0] + 2000) // 2 + counts[:, 1] // 2 * 2000


class Bench:
    """A started driver, its chip, bus and clock."""

    def __init__(
        self,
        rate_hz: float = 800,
        rate_error: float = 0.0,
        charge_time: bool = False,
        signal: SignalSource | None = None,
    ) -> None:
        self.clock = SimulatedClock()
        self.bus = SimulatedBus("sim:bench", self.clock, charge_time=charge_time)
        self.chip = SimulatedADXL345(self.clock, signal or Numbered(), rate_error=rate_error)
        self.bus.attach(0x53, self.chip)
        self.sensor = ADXL345(self.bus, self.clock, address=None, rate_hz=rate_hz, range_g=16)
        self.sensor.start()
        self.period_s = 1 / (rate_hz * (1 + rate_error))
        self.first_s = self.clock.monotonic_ns() / 1e9 + 0.0011 + self.period_s

    def drain(self, wait_s: float) -> SampleBlock:
        self.clock.wait(wait_s)
        return self.sensor.read_fifo()

    def end_error_s(self, block: SampleBlock) -> float:
        """Return how far the reported time of the last sample is from the true one."""
        return block.end_ns / 1e9 - (self.first_s + float(numbers(block)[-1]) * self.period_s)


def new_driver(bus: SimulatedBus, chip: SimulatedADXL345, clock: SimulatedClock) -> ADXL345:
    bus.attach(0x53, chip)
    return ADXL345(bus, clock, address=None, rate_hz=800, range_g=16)


@pytest.mark.parametrize("rate_hz", [0, 60, 799, 6400, float("nan")])
def test_other_rates_are_refused_with_those_offered(
    bus: SimulatedBus, clock: SimulatedClock, rate_hz: float
) -> None:
    with pytest.raises(
        SensorError,
        match=r"choose 0\.09765625, 0\.1953125, .*, 12\.5, 25, 50, 100, 200, 400, 800, 1600, 3200",
    ):
        ADXL345(bus, clock, address=None, rate_hz=rate_hz, range_g=16)


def test_other_ranges_and_addresses_are_refused(bus: SimulatedBus, clock: SimulatedClock) -> None:
    with pytest.raises(SensorError, match="no range of 3 g; choose 2, 4, 8, 16"):
        ADXL345(bus, clock, address=None, rate_hz=800, range_g=3)
    with pytest.raises(SensorError, match="no address 0x54; choose 0x53 or 0x1d"):
        ADXL345(bus, clock, address=0x54, rate_hz=800, range_g=16)


def test_start_clears_what_another_program_left(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedADXL345(clock, Silence())
    sensor = new_driver(bus, chip, clock)
    chip.write(0x1E, b"\x10\x20\x30")
    chip.write(0x38, b"\x80")
    chip.write(0x2D, b"\x08")
    clock.advance(1)
    sensor.start()
    assert chip.read(0x1E, 3) == b"\x00\x00\x00"
    assert len(sensor.read_fifo().samples_g) == 0


def test_another_chip_is_refused(bus: SimulatedBus, clock: SimulatedClock) -> None:
    class ADXL346(SimulatedADXL345):
        def read(self, register: int, length: int) -> bytes:
            return b"\xe6" if register == 0x00 else super().read(register, length)

    sensor = new_driver(bus, ADXL346(clock, Silence()), clock)
    with pytest.raises(SensorError, match=r"adxl345 on sim:bench at 0x53: DEVID reads 0xe6 instead of 0xe5"):
        sensor.start()


def test_a_setting_that_does_not_stick_is_named(bus: SimulatedBus, clock: SimulatedClock) -> None:
    class Stuck(SimulatedADXL345):
        def write(self, register: int, data: bytes) -> None:
            if register != 0x2C:
                super().write(register, data)

    sensor = new_driver(bus, Stuck(clock, Silence()), clock)
    with pytest.raises(SensorError, match="BW_RATE reads 0x0a after 0x0d was written"):
        sensor.start()
    with pytest.raises(SensorError, match="is not started"):
        sensor.read_fifo()


@pytest.mark.parametrize(("rate_hz", "warnings"), [(800, 0), (1600, 1), (3200, 1)])
def test_rates_for_spi_are_warned_about(
    caplog: pytest.LogCaptureFixture, rate_hz: float, warnings: int
) -> None:
    with caplog.at_level(logging.WARNING):
        Bench(rate_hz=rate_hz)
    assert len(caplog.records) == warnings
    assert all("800 Hz over I2C" in record.getMessage() for record in caplog.records)


def test_decode_of_the_extremes() -> None:
    data = bytes.fromhex("00f0 ff0f 0000 0100 ffff 0001".replace(" ", ""))
    samples_g = decode(data)
    assert samples_g.dtype == np.float32
    assert samples_g.tolist() == [[-16.0, 15.99609375, 0.0], [0.00390625, -0.00390625, 1.0]]


def test_a_drain_gives_what_the_chip_made() -> None:
    bench = Bench()
    block = bench.drain(0.0011 + 10.5 / 800)
    assert numbers(block).tolist() == list(range(10))
    assert block.samples_g.shape == (10, 3)
    assert (block.lost, block.rate_hz) == (0, 800)
    assert bench.end_error_s(block) == pytest.approx(0, abs=1e-6)
    again = bench.sensor.read_fifo()
    assert again.samples_g.shape == (0, 3)
    assert again.end_ns == bench.clock.monotonic_ns()


def test_an_overrun_has_its_length() -> None:
    bench = Bench()
    bench.drain(0.02)
    first_lost = bench.chip.samples_made
    block = bench.drain(0.25)
    # 200 samples in 250 ms, of which the chip keeps 33.
    assert block.lost == 167
    assert numbers(block).tolist() == list(range(first_lost + 167, first_lost + 200))
    assert bench.end_error_s(block) == pytest.approx(0, abs=1e-6)
    assert bench.drain(0.02).lost == 0


def test_a_full_fifo_counts_as_a_loss() -> None:
    bench = Bench()
    block = bench.drain(0.0011 + 32.5 / 800)
    # The chip says overrun, the clock says none: one, to be safe.
    assert (len(block.samples_g), block.lost) == (32, 1)


waits_us = st.integers(0, 100) | st.integers(0, 200_000)


@settings(max_examples=80)
@given(st.sampled_from(RATES_HZ), st.lists(waits_us, max_size=40))
def test_no_sample_is_doubled_disordered_or_forgotten(rate_hz: float, waits: list[int]) -> None:
    bench = Bench(rate_hz)
    following = 0
    for wait_us in waits:
        block = bench.drain(wait_us / 1e6)
        n = len(block.samples_g)
        if n == 0:
            assert block.lost == 0
            continue
        first = int(numbers(block)[0])
        assert numbers(block).tolist() == list(range(first, first + n))
        dropped = first - following
        assert block.lost == dropped or (dropped == 0 and block.lost == 1 and n >= 32)
        following = first + n
        assert abs(bench.end_error_s(block)) <= bench.period_s
    assert following == bench.chip.samples_made


@pytest.mark.parametrize("rate_error", [-0.03, -0.001, 0.0, 0.02, 0.03])
@pytest.mark.parametrize("rate_hz", [25, 100, 800])
def test_the_rate_is_estimated_from_the_counts(rate_hz: float, rate_error: float) -> None:
    bench = Bench(rate_hz, rate_error)
    wait_s = 12.5 / rate_hz
    for _ in range(500):
        block = bench.drain(wait_s)
        assert block.lost == 0
        assert abs(bench.end_error_s(block)) <= 1 / rate_hz * 1.0001
        if bench.clock.monotonic_ns() < 5e9:
            assert block.rate_hz == rate_hz
    # 6250 samples, known to one or two.
    assert block.rate_hz == pytest.approx(rate_hz * (1 + rate_error), rel=5e-4)


def test_the_estimate_outlives_a_loss_and_improves_its_length() -> None:
    bench = Bench(800, rate_error=0.03)
    for _ in range(500):
        bench.drain(0.02)
    before = bench.chip.samples_made
    block = bench.drain(1.0)
    assert block.rate_hz == pytest.approx(824, rel=1e-3)
    # 824 samples in a second, give or take the phase; the nominal rate would say 24 fewer.
    assert block.lost == pytest.approx(bench.chip.samples_made - before - 33, abs=1)


def test_time_on_the_wire_costs_no_samples() -> None:
    bench = Bench(800, charge_time=True)
    following = 0
    for _ in range(500):
        block = bench.drain(0.02)
        assert block.lost == 0
        assert numbers(block)[0] == following
        following += len(block.samples_g)
        assert abs(bench.end_error_s(block)) <= bench.period_s
    assert following == pytest.approx(bench.clock.monotonic_ns() / 1e9 * 800, abs=20)


def test_samples_lost_in_a_torn_burst_are_counted() -> None:
    bench = Bench()
    following = int(numbers(bench.drain(0.02))[-1]) + 1
    # The status is read, two samples are taken, the third read fails.
    bench.bus.fail_next(1, errno.EREMOTEIO, after=3)
    with pytest.raises(BusError) as caught:
        bench.drain(0.02)
    assert caught.value.code == errno.EREMOTEIO
    block = bench.drain(0.001)
    assert numbers(block)[0] == following + 2
    assert block.lost == 2


def test_a_loss_without_overrun_is_seen_by_the_clock() -> None:
    bench = Bench()
    bench.drain(0.02)
    # Another reader on the bus takes ten samples away.
    bench.clock.advance(0.02)
    for _ in range(10):
        bench.chip.read(0x32, 6)
    block = bench.drain(0.001)
    assert block.lost == 10


@pytest.mark.parametrize("wait_s", [0.02, 1.0])
def test_a_brown_out_is_found(wait_s: float) -> None:
    bench = Bench()
    bench.drain(0.02)
    bench.chip.power_cycle()
    with pytest.raises(SensorError, match=r"lost its configuration \(POWER_CTL reads 0x00 instead of 0x08\)"):
        bench.drain(wait_s)
    bench.sensor.start()
    assert len(bench.drain(0.02).samples_g) == 15


def test_a_changed_rate_is_found() -> None:
    bench = Bench()
    bench.drain(0.02)
    bench.chip.write(0x2C, b"\x0b")
    with pytest.raises(SensorError, match=r"BW_RATE reads 0x0b instead of 0x0d"):
        bench.drain(0.02)


def test_a_dead_chip_is_found() -> None:
    bench = Bench(rate_error=-0.9999)
    assert len(bench.drain(0.002).samples_g) == 0
    with pytest.raises(SensorError, match=r"delivered none of \d+ samples though it is set to measure"):
        bench.drain(0.1)


def test_self_test_passes_and_starts_afresh() -> None:
    bench = Bench(rate_hz=400, signal=Silence())
    bench.drain(0.02)
    result = bench.sensor.self_test()
    assert result.passed
    assert result.shift_g == pytest.approx((1.2, -1.2, 1.8), abs=0.01)
    # Table 1 at 2.5 V, times the factors 1.77 and 1.47 of table 14 for 3.3 V.
    assert result.limits_g == ((0.354, 3.717), (-3.717, -0.354), (0.441, 4.998))
    assert bench.chip.read(0x2C, 2) == b"\x0c\x08"
    assert bench.chip.read(0x31, 1) == b"\x0b"
    block = bench.drain(0.05)
    assert (len(block.samples_g), block.lost) == (19, 0)


def test_self_test_of_a_chip_that_does_not_sample(bus: SimulatedBus, clock: SimulatedClock) -> None:
    sensor = new_driver(bus, SimulatedADXL345(clock, Silence(), rate_error=-0.5), clock)
    with pytest.raises(SensorError, match="delivered only 16 samples in the self-test"):
        sensor.self_test()


def test_close_puts_the_chip_to_standby_even_if_the_bus_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.sensor.close()
    assert bench.chip.read(0x2D, 1) == b"\x00"
    bench.sensor.start()
    bench.bus.unplug()
    bench.sensor.close()
    assert "could not be put to standby" in caplog.text
