"""The ADXL355 and its twin against the data sheet (rev. B), value by value."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from firmware_bridge.adxl355.driver import ADXL355, decode
from firmware_bridge.adxl355.registers import Register
from firmware_bridge.adxl355.simulator import SimulatedADXL355
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import SensorError
from firmware_bridge.signals import Silence

STILL = (0.0, 0.0, 0.0)

# Data sheet, "Register Map": address, name, access, reset value (None: follows from something else).
REGISTER_MAP = [
    (0x00, "DEVID_AD", "R", 0xAD),
    (0x01, "DEVID_MST", "R", 0x1D),
    (0x02, "PARTID", "R", 0xED),
    (0x03, "REVID", "R", 0x01),
    (0x04, "STATUS", "R", 0x00),
    (0x05, "FIFO_ENTRIES", "R", 0x00),
    (0x06, "TEMP2", "R", None),
    (0x07, "TEMP1", "R", None),
    (0x08, "XDATA3", "R", 0x00),
    (0x09, "XDATA2", "R", 0x00),
    (0x0A, "XDATA1", "R", 0x00),
    (0x0B, "YDATA3", "R", 0x00),
    (0x0C, "YDATA2", "R", 0x00),
    (0x0D, "YDATA1", "R", 0x00),
    (0x0E, "ZDATA3", "R", 0x00),
    (0x0F, "ZDATA2", "R", 0x00),
    (0x10, "ZDATA1", "R", 0x00),
    (0x11, "FIFO_DATA", "R", 0x00),
    (0x1E, "OFFSET_X_H", "R/W", 0x00),
    (0x1F, "OFFSET_X_L", "R/W", 0x00),
    (0x20, "OFFSET_Y_H", "R/W", 0x00),
    (0x21, "OFFSET_Y_L", "R/W", 0x00),
    (0x22, "OFFSET_Z_H", "R/W", 0x00),
    (0x23, "OFFSET_Z_L", "R/W", 0x00),
    (0x24, "ACT_EN", "R/W", 0x00),
    (0x25, "ACT_THRESH_H", "R/W", 0x00),
    (0x26, "ACT_THRESH_L", "R/W", 0x00),
    (0x27, "ACT_COUNT", "R/W", 0x01),
    (0x28, "FILTER", "R/W", 0x00),
    (0x29, "FIFO_SAMPLES", "R/W", 0x60),
    (0x2A, "INT_MAP", "R/W", 0x00),
    (0x2B, "SYNC", "R/W", 0x00),
    (0x2C, "RANGE", "R/W", 0x81),
    (0x2D, "POWER_CTL", "R/W", 0x01),
    (0x2E, "SELF_TEST", "R/W", 0x00),
    (0x2F, "RESET", "W", 0x00),
]

# "FILTER": the code of each rate.
RATE_CODES = {
    4000: 0x0,
    2000: 0x1,
    1000: 0x2,
    500: 0x3,
    250: 0x4,
    125: 0x5,
    62.5: 0x6,
    31.25: 0x7,
    15.625: 0x8,
    7.8125: 0x9,
    3.90625: 0xA,
}
# Full scale, range code, LSB/g ("Specifications").
RANGES = [(2, 0b01, 256_000), (4, 0b10, 128_000), (8, 0b11, 64_000)]


def attach(
    bus: SimulatedBus,
    clock: SimulatedClock,
    chip: SimulatedADXL355,
    rate_hz: float = 4000.0,
    range_g: float = 8.0,
) -> ADXL355:
    bus.attach(0x1D, chip)
    return ADXL355(bus, clock, address=None, rate_hz=rate_hz, range_g=range_g)


def test_the_enum_is_the_register_map() -> None:
    assert [(register.value, register.name) for register in Register] == [
        (address, name) for address, name, _, _ in REGISTER_MAP
    ]


@pytest.mark.parametrize(("address", "name", "access", "reset"), REGISTER_MAP)
def test_reset_value_and_access(
    clock: SimulatedClock, address: int, name: str, access: str, reset: int | None
) -> None:
    chip = SimulatedADXL355(clock, Silence())
    if address == 0x11:
        # Nothing in the FIFO: the empty marker.
        assert chip.read(address, 3) == b"\x00\x00\x02"
        return
    before = chip.read(address, 1)
    assert reset is None or before == bytes([reset])
    # Still in standby.
    chip.write(address, b"\x03")
    assert chip.read(address, 1) == (b"\x03" if access == "R/W" else before)
    chip.power_cycle()
    assert chip.read(address, 1) == before


@pytest.mark.parametrize(("rate_hz", "code"), RATE_CODES.items())
def test_each_rate_is_set_as_the_data_sheet_says(
    bus: SimulatedBus, clock: SimulatedClock, rate_hz: float, code: int
) -> None:
    chip = SimulatedADXL355(clock, Silence())
    attach(bus, clock, chip, rate_hz).start()
    # Rate without high-pass, 96 entries, no interrupts, no synchronization, 8 g, measuring with temperature.
    assert chip.read(0x28, 7) == bytes([code, 0x60, 0x00, 0x00, 0x83, 0x00, 0x00])


def test_all_rates_are_offered() -> None:
    assert list(ADXL355.RATES_HZ.items()) == list(RATE_CODES.items())


@pytest.mark.parametrize(("range_g", "code", "lsb_per_g"), RANGES)
def test_the_scale_of_each_range(
    bus: SimulatedBus, clock: SimulatedClock, range_g: float, code: int, lsb_per_g: int
) -> None:
    chip = SimulatedADXL355(clock, Silence(gravity_g=(1.0, -1.0, 0.5), noise_g=STILL))
    sensor = attach(bus, clock, chip, range_g=range_g)
    assert 1 / sensor.info.resolution_g == pytest.approx(lsb_per_g)
    sensor.start()
    assert chip.read(0x2C, 1)[0] & 0x03 == code
    clock.wait(1.5 / 4000)
    # XDATA: 20 bits, left-justified in 24.
    assert int.from_bytes(chip.read(0x08, 3), "big", signed=True) == lsb_per_g << 4
    assert int.from_bytes(chip.read(0x0B, 3), "big", signed=True) == -lsb_per_g << 4
    assert sensor.read_fifo().samples_g.tolist() == [[1.0, -1.0, 0.5]]


def test_decode_of_the_extremes() -> None:
    entries = bytes.fromhex("800001 7ffff0 fffff0 000011 000000 000010")
    counts = decode(np.frombuffer(entries, np.uint8).reshape(-1, 3))
    assert counts.tolist() == [[-524288, 524287, -1], [1, 0, 1]]


def test_entries_carry_their_markers(clock: SimulatedClock) -> None:
    chip = SimulatedADXL355(clock, Silence())
    chip.write(0x2D, b"\x00")
    clock.wait(2.5 / 4000)
    assert chip.read(0x04, 2) == b"\x01\x06"
    entries = np.frombuffer(chip.read(0x11, 24), np.uint8).reshape(-1, 3)
    assert (entries[:, 2] & 3).tolist() == [1, 0, 0, 1, 0, 0, 2, 2]


def test_the_flags_of_a_full_fifo(clock: SimulatedClock) -> None:
    chip = SimulatedADXL355(clock, Silence())
    chip.write(0x2D, b"\x00")
    clock.wait(32.5 / 4000)
    # 96 entries: the watermark as set after reset, none lost.
    assert chip.read(0x04, 2) == b"\x03\x60"
    clock.wait(1 / 4000)
    assert chip.read(0x04, 2) == b"\x07\x60"
    # Overrun is cleared by reading STATUS.
    assert chip.read(0x04, 2) == b"\x03\x60"


@pytest.mark.parametrize("stolen", [1, 2])
def test_a_torn_sample_is_dropped_and_counted(bus: SimulatedBus, clock: SimulatedClock, stolen: int) -> None:
    chip = SimulatedADXL355(clock, Silence(gravity_g=(1.0, 2.0, 3.0), noise_g=STILL))
    sensor = attach(bus, clock, chip)
    sensor.start()
    clock.wait(5.5 / 4000)
    sensor.read_fifo()
    clock.wait(10 / 4000)
    # Another reader takes the first axes of the first sample.
    chip.read(0x11, 3 * stolen)
    block = sensor.read_fifo()
    assert block.samples_g == pytest.approx(np.tile([1.0, 2.0, 3.0], (9, 1)))
    assert block.lost == 1
    clock.wait(10 / 4000)
    assert (len(sensor.read_fifo().samples_g), sensor.read_fifo().lost) == (10, 0)


def test_a_fifo_out_of_step_is_told(bus: SimulatedBus, clock: SimulatedClock) -> None:
    class BitError(SimulatedADXL355):
        def read(self, register: int, length: int) -> bytes:
            data = bytearray(super().read(register, length))
            if register == 0x11:
                data[14] ^= 0x01
            return bytes(data)

    sensor = attach(bus, clock, BitError(clock, Silence()))
    sensor.start()
    clock.wait(10 / 4000)
    with pytest.raises(SensorError, match="FIFO is out of step; check wiring"):
        sensor.read_fifo()


def test_the_offset_registers_add_16_counts_a_step(clock: SimulatedClock) -> None:
    chip = SimulatedADXL355(clock, Silence(gravity_g=STILL, noise_g=STILL))
    chip.write(0x1E, b"\x00\x01\xff\xff")
    chip.write(0x2D, b"\x00")
    clock.wait(1.5 / 4000)
    chip.read(0x00, 1)
    assert chip.read(0x08, 6) == b"\x00\x01\x00\xff\xff\x00"


def test_the_temperature(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedADXL355(clock, Silence(), temperature_c=45.0)
    sensor = attach(bus, clock, chip)
    # 1885 at 25 °C, -9.05 a degree.
    assert chip.read(0x06, 2) == (1704).to_bytes(2, "big")
    assert sensor.temperature_c() == pytest.approx(45.0, abs=0.06)


def test_a_reset_that_loses_the_trimming_is_told(bus: SimulatedBus, clock: SimulatedClock) -> None:
    trimming = itertools.count()

    class Untrimmed(SimulatedADXL355):
        def power_cycle(self) -> None:
            super().power_cycle()
            self._registers[0x50] = next(trimming)

    with pytest.raises(SensorError, match="does not load its trimming values at a reset"):
        attach(bus, clock, Untrimmed(clock, Silence())).start()


@pytest.mark.parametrize(
    ("shift_g", "passed"),
    [((0.3, 0.3, 1.5), True), ((-0.3, 0.5, -2.0), True), ((0.05, 0.3, 1.5), False), ((0.3, 0.3, 0.3), False)],
)
def test_self_test_limits(
    bus: SimulatedBus, clock: SimulatedClock, shift_g: tuple[float, float, float], passed: bool
) -> None:
    chip = SimulatedADXL355(clock, Silence(), self_test_shift_g=shift_g)
    result = attach(bus, clock, chip, range_g=2.0).self_test()
    assert result.passed is passed
    assert result.shift_g == pytest.approx(np.abs(shift_g), abs=0.01)
    # A third to the double of the typical changes.
    assert result.limits_g == ((0.1, 0.6), (0.1, 0.6), (0.5, 3.0))
    assert chip.read(0x2E, 1) == b"\x00"
    assert chip.read(0x2C, 1) == b"\x81"
