"""The LIS3DH and its twin against the data sheet (DocID17530 rev. 2), value by value."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.lis3dh.driver import LIS3DH
from firmware_bridge.lis3dh.registers import Register
from firmware_bridge.lis3dh.simulator import SimulatedLIS3DH
from firmware_bridge.signals import Silence

STILL = (0.0, 0.0, 0.0)

# Data sheet, "Register mapping": address, name, access, reset value.
REGISTER_MAP = [
    (0x07, "STATUS_REG_AUX", "R", 0x00),
    (0x08, "OUT_ADC1_L", "R", 0x00),
    (0x09, "OUT_ADC1_H", "R", 0x00),
    (0x0A, "OUT_ADC2_L", "R", 0x00),
    (0x0B, "OUT_ADC2_H", "R", 0x00),
    (0x0C, "OUT_ADC3_L", "R", 0x00),
    (0x0D, "OUT_ADC3_H", "R", 0x00),
    (0x0F, "WHO_AM_I", "R", 0x33),
    (0x1E, "CTRL_REG0", "R/W", 0x10),
    (0x1F, "TEMP_CFG_REG", "R/W", 0x00),
    (0x20, "CTRL_REG1", "R/W", 0x07),
    (0x21, "CTRL_REG2", "R/W", 0x00),
    (0x22, "CTRL_REG3", "R/W", 0x00),
    (0x23, "CTRL_REG4", "R/W", 0x00),
    (0x24, "CTRL_REG5", "R/W", 0x00),
    (0x25, "CTRL_REG6", "R/W", 0x00),
    (0x26, "REFERENCE", "R/W", 0x00),
    (0x27, "STATUS_REG", "R", 0x00),
    (0x28, "OUT_X_L", "R", 0x00),
    (0x29, "OUT_X_H", "R", 0x00),
    (0x2A, "OUT_Y_L", "R", 0x00),
    (0x2B, "OUT_Y_H", "R", 0x00),
    (0x2C, "OUT_Z_L", "R", 0x00),
    (0x2D, "OUT_Z_H", "R", 0x00),
    (0x2E, "FIFO_CTRL_REG", "R/W", 0x00),
    (0x2F, "FIFO_SRC_REG", "R", 0x20),
    (0x30, "INT1_CFG", "R/W", 0x00),
    (0x31, "INT1_SRC", "R", 0x00),
    (0x32, "INT1_THS", "R/W", 0x00),
    (0x33, "INT1_DURATION", "R/W", 0x00),
    (0x34, "INT2_CFG", "R/W", 0x00),
    (0x35, "INT2_SRC", "R", 0x00),
    (0x36, "INT2_THS", "R/W", 0x00),
    (0x37, "INT2_DURATION", "R/W", 0x00),
    (0x38, "CLICK_CFG", "R/W", 0x00),
    (0x39, "CLICK_SRC", "R", 0x00),
    (0x3A, "CLICK_THS", "R/W", 0x00),
    (0x3B, "TIME_LIMIT", "R/W", 0x00),
    (0x3C, "TIME_LATENCY", "R/W", 0x00),
    (0x3D, "TIME_WINDOW", "R/W", 0x00),
    (0x3E, "ACT_THS", "R/W", 0x00),
    (0x3F, "ACT_DUR", "R/W", 0x00),
]

# "CTRL_REG1": rate, the register's value with all axes on (LPEN set where only low power has the rate).
RATE_SETTINGS = {
    1: 0x17,
    10: 0x27,
    25: 0x37,
    50: 0x47,
    100: 0x57,
    200: 0x67,
    400: 0x77,
    1344: 0x97,
    1600: 0x8F,
    5376: 0x9F,
}
# Table 4: full scale, CTRL_REG4 with BDU and HR, mg/digit in high resolution, mg/digit in low power.
RANGES = [(2, 0x88, 1, 16), (4, 0x98, 2, 32), (8, 0xA8, 4, 64), (16, 0xB8, 12, 192)]


def attach(
    bus: SimulatedBus,
    clock: SimulatedClock,
    chip: SimulatedLIS3DH,
    rate_hz: float = 400.0,
    range_g: float = 16.0,
) -> LIS3DH:
    bus.attach(0x18, chip)
    return LIS3DH(bus, clock, address=None, rate_hz=rate_hz, range_g=range_g)


def test_the_enum_is_the_register_map() -> None:
    assert [(register.value, register.name) for register in Register] == [
        (address, name) for address, name, _, _ in REGISTER_MAP
    ]


@pytest.mark.parametrize(("address", "name", "access", "reset"), REGISTER_MAP)
def test_reset_value_and_access(
    clock: SimulatedClock, address: int, name: str, access: str, reset: int
) -> None:
    chip = SimulatedLIS3DH(clock, Silence())
    assert chip.read(address, 1) == bytes([reset])
    # Neither the boot bit nor a FIFO mode.
    chip.write(address, b"\x09")
    assert chip.read(address, 1) == (b"\x09" if access == "R/W" else bytes([reset]))
    chip.power_cycle()
    assert chip.read(address, 1) == bytes([reset])


@pytest.mark.parametrize(("rate_hz", "setting"), RATE_SETTINGS.items())
def test_each_rate_is_set_as_the_data_sheet_says(
    bus: SimulatedBus, clock: SimulatedClock, rate_hz: float, setting: int
) -> None:
    chip = SimulatedLIS3DH(clock, Silence())
    attach(bus, clock, chip, rate_hz).start()
    high_resolution = rate_hz not in (1600, 5376)
    # Rate; no filter, no interrupts; block data update, 16 g; FIFO on.
    assert chip.read(0xA0, 6) == bytes([setting, 0, 0, 0xB8 if high_resolution else 0xB0, 0x40, 0])
    # Stream mode with a watermark of 16; ADC and thermometer on.
    assert chip.read(0x2E, 1) == b"\x90"
    assert chip.read(0x1F, 1) == b"\xc0"


def test_all_rates_are_offered() -> None:
    assert list(LIS3DH.RATES_HZ) == list(RATE_SETTINGS)


@pytest.mark.parametrize(("range_g", "setting", "high_mg", "low_mg"), RANGES)
def test_the_scale_of_each_range(
    bus: SimulatedBus, clock: SimulatedClock, range_g: float, setting: int, high_mg: int, low_mg: int
) -> None:
    chip = SimulatedLIS3DH(clock, Silence(gravity_g=(1.536, -1.536, 0), noise_g=STILL))
    with attach(bus, clock, chip, range_g=range_g) as sensor:
        assert sensor.info.resolution_g == pytest.approx(high_mg / 1000)
        sensor.start()
        assert chip.read(0x23, 1) == bytes([setting])
        clock.wait(0.1)
        # Left-justified 12 bits.
        counts = np.frombuffer(chip.read(0xA8, 6), "<i2")
        assert (counts[:2] / 16).tolist() == [1536 / high_mg, -1536 / high_mg]
    low = LIS3DH(bus, clock, address=None, rate_hz=5376, range_g=range_g)
    low.start()
    clock.wait(0.001)
    # Left-justified 8 bits.
    counts = np.frombuffer(chip.read(0xA8, 6), "<i2")
    assert low.info.resolution_g == pytest.approx(low_mg / 1000)
    assert (counts[:2] / 256).tolist() == [1536 / low_mg, -1536 / low_mg]
    clock.wait(0.001)
    assert low.read_fifo().samples_g[0].tolist() == pytest.approx([1.536, -1.536, 0])


def test_without_the_increment_bit_a_register_is_read_again_and_again(clock: SimulatedClock) -> None:
    chip = SimulatedLIS3DH(clock, Silence())
    assert chip.read(0x0F, 3) == b"\x33\x33\x33"
    assert chip.read(0x9E, 3) == b"\x10\x00\x07"
    chip.write(0x3A, b"\x01\x02")
    assert chip.read(0xBA, 2) == b"\x02\x00"
    chip.write(0xBA, b"\x01\x02")
    assert chip.read(0xBA, 2) == b"\x01\x02"


# AN3308, behaviour of FIFO_SRC_REG with a threshold of 15: unread samples, register.
@pytest.mark.parametrize(
    ("unread", "source"), [(0, 0x20), (1, 0x01), (15, 0x0F), (16, 0x90), (31, 0x9F), (32, 0xDF), (40, 0xDF)]
)
def test_the_fifo_tells_how_much_waits(clock: SimulatedClock, unread: int, source: int) -> None:
    chip = SimulatedLIS3DH(clock, Silence())
    chip.write(0x24, b"\x40")
    chip.write(0x2E, b"\x8f")
    chip.write(0x20, b"\x57")
    # High resolution turns on in 7 samples (table 11).
    clock.wait(0.06 + unread * 0.01 + 0.001)
    assert chip.read(0x2F, 1) == bytes([source])


def test_an_empty_fifo_gives_the_last_sample_again(clock: SimulatedClock) -> None:
    chip = SimulatedLIS3DH(clock, Silence(noise_g=STILL))
    chip.write(0x24, b"\x40")
    chip.write(0x2E, b"\x80")
    chip.write(0x20, b"\x57")
    clock.wait(0.08)
    # 1 g at 1 mg, left-justified.
    sample = bytes(4) + (16000).to_bytes(2, "little")
    assert chip.read(0xA8, 24) == sample * 4
    assert chip.read(0xA8, 6) == sample


def test_the_temperature(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedLIS3DH(clock, Silence(), temperature_c=19.0)
    sensor = attach(bus, clock, chip)
    sensor.start()
    # 1 digit/°C in the high byte.
    assert chip.read(0x8C, 2) == b"\x00\xfa"
    assert sensor.temperature_c() == 19.0


@pytest.mark.parametrize(
    ("shift_g", "passed"),
    [((0.5, 0.5, 0.5), True), ((-0.5, 0.1, 0.9), True), ((0.06, 0.5, 0.5), False), ((1.5, 0.5, 0.5), False)],
)
def test_self_test_limits(
    bus: SimulatedBus, clock: SimulatedClock, shift_g: tuple[float, float, float], passed: bool
) -> None:
    chip = SimulatedLIS3DH(clock, Silence(), self_test_shift_g=shift_g)
    result = attach(bus, clock, chip).self_test()
    assert result.passed is passed
    assert result.shift_g == pytest.approx(np.abs(shift_g), abs=0.01)
    # Table 4: 17 to 360 digits of 4 mg.
    assert result.limits_g == ((0.068, 1.44), (0.068, 1.44), (0.068, 1.44))
    # The self-test is off again.
    assert chip.read(0x23, 1)[0] & 0x06 == 0
