"""The MPU-6050 and its twin against the register map (rev. 4.2), value by value."""

from __future__ import annotations

import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import SensorError
from firmware_bridge.mpu6050.driver import MPU6050
from firmware_bridge.mpu6050.registers import Register, factory_trim_g
from firmware_bridge.mpu6050.simulator import SimulatedMPU6050
from firmware_bridge.signals import Silence

STILL = (0.0, 0.0, 0.0)

# Register map, 3: address, name, access, reset value (None: each chip's own, or follows from something).
REGISTER_MAP = [
    (0x0D, "SELF_TEST_X", "R", None),
    (0x0E, "SELF_TEST_Y", "R", None),
    (0x0F, "SELF_TEST_Z", "R", None),
    (0x10, "SELF_TEST_A", "R", None),
    (0x19, "SMPLRT_DIV", "R/W", 0x00),
    (0x1A, "CONFIG", "R/W", 0x00),
    (0x1B, "GYRO_CONFIG", "R/W", 0x00),
    (0x1C, "ACCEL_CONFIG", "R/W", 0x00),
    (0x23, "FIFO_EN", "R/W", 0x00),
    (0x37, "INT_PIN_CFG", "R/W", 0x00),
    (0x38, "INT_ENABLE", "R/W", 0x00),
    (0x3A, "INT_STATUS", "R", None),
    (0x3B, "ACCEL_XOUT_H", "R", 0x00),
    (0x3C, "ACCEL_XOUT_L", "R", 0x00),
    (0x3D, "ACCEL_YOUT_H", "R", 0x00),
    (0x3E, "ACCEL_YOUT_L", "R", 0x00),
    (0x3F, "ACCEL_ZOUT_H", "R", 0x00),
    (0x40, "ACCEL_ZOUT_L", "R", 0x00),
    (0x41, "TEMP_OUT_H", "R", None),
    (0x42, "TEMP_OUT_L", "R", None),
    (0x68, "SIGNAL_PATH_RESET", "R/W", 0x00),
    (0x6A, "USER_CTRL", "R/W", 0x00),
    (0x6B, "PWR_MGMT_1", "R/W", 0x40),
    (0x6C, "PWR_MGMT_2", "R/W", 0x00),
    (0x72, "FIFO_COUNT_H", "R", 0x00),
    (0x73, "FIFO_COUNT_L", "R", 0x00),
    (0x74, "FIFO_R_W", "R", 0x00),
    (0x75, "WHO_AM_I", "R", 0x68),
]

# Sample rate = 1 kHz / (1 + SMPLRT_DIV); the widest filter of 184, 94, 44, 21, 10, 5 Hz below half of it.
RATES = [
    (1000, 0, 1),
    (500, 1, 1),
    (250, 3, 2),
    (200, 4, 2),
    (100, 9, 3),
    (50, 19, 4),
    (25, 39, 5),
    (5, 199, 6),
]
# Full scale, ACCEL_CONFIG, LSB/g.
RANGES = [(2, 0x00, 16384), (4, 0x08, 8192), (8, 0x10, 4096), (16, 0x18, 2048)]


def attach(
    bus: SimulatedBus,
    clock: SimulatedClock,
    chip: SimulatedMPU6050,
    rate_hz: float = 1000.0,
    range_g: float = 16.0,
) -> MPU6050:
    bus.attach(0x68, chip)
    return MPU6050(bus, clock, address=None, rate_hz=rate_hz, range_g=range_g)


def test_the_enum_is_the_register_map() -> None:
    assert [(register.value, register.name) for register in Register] == [
        (address, name) for address, name, _, _ in REGISTER_MAP
    ]


@pytest.mark.parametrize(("address", "name", "access", "reset"), REGISTER_MAP)
def test_reset_value_and_access(
    clock: SimulatedClock, address: int, name: str, access: str, reset: int | None
) -> None:
    chip = SimulatedMPU6050(clock, Silence())
    before = chip.read(address, 1)
    assert reset is None or before == bytes([reset])
    # No reset bit of any register.
    chip.write(address, b"\x50")
    assert chip.read(address, 1) == (b"\x50" if access == "R/W" else before)
    chip.power_cycle()
    assert chip.read(address, 1) == before


@pytest.mark.parametrize(("rate_hz", "divider", "filter_code"), RATES)
def test_each_rate_is_set_as_the_register_map_says(
    bus: SimulatedBus, clock: SimulatedClock, rate_hz: float, divider: int, filter_code: int
) -> None:
    chip = SimulatedMPU6050(clock, Silence())
    attach(bus, clock, chip, rate_hz).start()
    assert chip.read(0x19, 2) == bytes([divider, filter_code])
    # Accelerometer to the FIFO; FIFO on; clock from the gyroscope, whose other axes sleep.
    assert chip.read(0x23, 1) == b"\x08"
    assert chip.read(0x6A, 3) == b"\x40\x01\x03"


@pytest.mark.parametrize(("range_g", "setting", "lsb_per_g"), RANGES)
def test_the_scale_of_each_range(
    bus: SimulatedBus, clock: SimulatedClock, range_g: float, setting: int, lsb_per_g: int
) -> None:
    chip = SimulatedMPU6050(clock, Silence(gravity_g=(1.0, -1.0, 0.5), noise_g=STILL))
    sensor = attach(bus, clock, chip, range_g=range_g)
    assert 1 / sensor.info.resolution_g == lsb_per_g
    sensor.start()
    assert chip.read(0x1C, 1) == bytes([setting])
    clock.wait(0.0615)
    chip.read(0x75, 1)
    # High byte first.
    assert chip.read(0x3B, 4) == lsb_per_g.to_bytes(2, "big") + (-lsb_per_g).to_bytes(2, "big", signed=True)
    assert sensor.read_fifo().samples_g.tolist() == [[1.0, -1.0, 0.5]]


def test_the_fifo_overflows_out_of_step(clock: SimulatedClock) -> None:
    chip = SimulatedMPU6050(clock, Silence(gravity_g=(0.0, 0.0, 1.0), noise_g=STILL))
    for register, value in ((0x6B, 0x01), (0x1A, 0x01), (0x23, 0x08), (0x6A, 0x40)):
        chip.write(register, bytes([value]))
    clock.wait(0.060 + 0.1705)
    # 170 samples of 6 bytes.
    assert chip.read(0x72, 2) == (1020).to_bytes(2, "big")
    assert chip.read(0x3A, 1)[0] & 0x10 == 0
    clock.wait(0.001)
    assert chip.read(0x72, 2) == (1024).to_bytes(2, "big")
    assert chip.read(0x3A, 1)[0] & 0x10 == 0x10
    # Two bytes of the first sample are gone.
    assert chip.read(0x74, 6) == b"\x00\x00\x40\x00\x00\x00"
    chip.write(0x6A, b"\x04")
    assert chip.read(0x72, 2) == b"\x00\x00"


def test_an_overflow_empties_the_fifo_and_keeps_the_step(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedMPU6050(clock, Silence(gravity_g=(1.0, 2.0, 3.0), noise_g=STILL))
    sensor = attach(bus, clock, chip)
    sensor.start()
    clock.wait(0.1)
    sensor.read_fifo()
    clock.wait(1.0)
    empty = sensor.read_fifo()
    assert (len(empty.samples_g), empty.lost) == (0, 0)
    clock.wait(0.010)
    block = sensor.read_fifo()
    assert block.samples_g.tolist() == [[1.0, 2.0, 3.0]] * 10
    assert block.lost == 1000
    # The FIFO is on again.
    assert chip.read(0x6A, 1) == b"\x40"


def test_the_temperature(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedMPU6050(clock, Silence(), temperature_c=40.0)
    sensor = attach(bus, clock, chip)
    # (40 - 36.53) * 340.
    assert chip.read(0x41, 2) == (1180).to_bytes(2, "big")
    assert sensor.temperature_c() == pytest.approx(40.0, abs=0.003)


# Register map, "Self Test Registers": 4096 * 0.34 at code 1, 4096 * 0.92 at code 31.
@pytest.mark.parametrize(("code", "trim_lsb"), [(0, 0), (1, 1392.64), (16, 2290.83), (31, 3768.32)])
def test_the_factory_trim(code: int, trim_lsb: float) -> None:
    assert factory_trim_g(code) * 4096 == pytest.approx(trim_lsb, abs=0.01)


@pytest.mark.parametrize(
    ("shift_g", "passed"),
    [
        ((0.541, 0.541, 0.541), True),
        ((0.48, 0.60, 0.541), True),
        ((0.45, 0.541, 0.541), False),
        ((0.541, 0.541, 0.63), False),
        ((-0.541, 0.541, 0.541), False),
    ],
)
def test_self_test_limits(
    bus: SimulatedBus, clock: SimulatedClock, shift_g: tuple[float, float, float], passed: bool
) -> None:
    chip = SimulatedMPU6050(clock, Silence(), self_test_shift_g=shift_g, factory_trim=(15, 15, 15))
    result = attach(bus, clock, chip).self_test()
    assert result.passed is passed
    assert result.shift_g == pytest.approx(shift_g, abs=0.01)
    # 0.541 g, more or less 14 %.
    assert result.limits_g[0] == pytest.approx((0.4653, 0.6168), abs=0.0005)
    assert chip.read(0x1C, 1) == b"\x18"


def test_the_factory_trim_of_each_axis_is_its_own(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedMPU6050(clock, Silence(), factory_trim=(1, 18, 31))
    assert chip.read(0x0D, 4) == bytes([0b00000000, 0b10000000, 0b11100000, 0b00_01_10_11])
    (low_x, _), (low_y, _), (low_z, _) = attach(bus, clock, chip).self_test().limits_g
    # 0.34, 0.5977 and 0.92 g, less 14 %.
    assert (low_x, low_y, low_z) == pytest.approx((0.2924, 0.5140, 0.7912), abs=0.0005)


def test_a_chip_without_factory_trim_cannot_be_judged(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedMPU6050(clock, Silence(), factory_trim=(15, 0, 15))
    sensor = attach(bus, clock, chip)
    with pytest.raises(SensorError, match="holds no factory trim, so its self-test cannot be judged"):
        sensor.self_test()
    # It measures again, without the force.
    assert chip.read(0x1C, 1) == b"\x18"
