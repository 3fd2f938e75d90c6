"""What only the MPU-6050 does, against the register map (rev. 4.2): FIFO out of step, factory trim."""

from __future__ import annotations

import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import SensorError
from firmware_bridge.mpu6050.driver import MPU6050
from firmware_bridge.mpu6050.registers import factory_trim_g
from firmware_bridge.mpu6050.simulator import SimulatedMPU6050
from firmware_bridge.signals import Silence

STILL = (0.0, 0.0, 0.0)


def attach(
    bus: SimulatedBus,
    clock: SimulatedClock,
    chip: SimulatedMPU6050,
    rate_hz: float = 1000.0,
    range_g: float = 16.0,
) -> MPU6050:
    bus.attach(0x68, chip)
    return MPU6050(bus, clock, address=None, rate_hz=rate_hz, range_g=range_g)


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


# Register map, "Self Test Registers": 4096 * 0.34 at code 1, 4096 * 0.92 at code 31.
@pytest.mark.parametrize(("code", "trim_lsb"), [(0, 0), (1, 1392.64), (16, 2290.83), (31, 3768.32)])
def test_the_factory_trim(code: int, trim_lsb: float) -> None:
    assert factory_trim_g(code) * 4096 == pytest.approx(trim_lsb, abs=0.01)


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
