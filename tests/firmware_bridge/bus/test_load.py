"""What sensors take of a bus: the figures against the drivers on a bus that takes its time."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_bridge.bus.load import kernel_speed_hz, load_of
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chips import CHIPS, open_accelerometer, simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.signals import Silence

RATES_HZ = {"adxl345": 400.0, "adxl355": 4000.0, "lis3dh": 400.0, "lsm6dso": 417.0, "mpu6050": 500.0}
BIT_RATE_HZ = 1_000_000.0


@pytest.mark.parametrize("chip", CHIPS)
def test_the_figure_is_what_the_driver_takes(chip: str) -> None:
    clock = SimulatedClock()
    bus = SimulatedBus("sim:bench", clock, bit_rate_hz=BIT_RATE_HZ, charge_time=True)
    bus.attach(CHIPS[chip].usual_address, simulate(chip, clock, Silence()))
    rate_hz = RATES_HZ[chip]
    with open_accelerometer(chip, bus, clock, address=None, rate_hz=rate_hz, range_g=4.0) as sensor:
        sensor.start()
        half_s = sensor.info.fifo_depth / 2 / rate_hz
        samples = busy_ns = 0
        for _ in range(30):
            clock.wait(half_s)
            before_ns = clock.monotonic_ns()
            samples += len(sensor.read_fifo().samples_g)
            busy_ns += clock.monotonic_ns() - before_ns
    bits_per_sample = busy_ns / 1e9 * BIT_RATE_HZ / samples
    told = load_of(CHIPS[chip].bits_per_sample, rate_hz, sensor.info.fifo_depth // 2).bits_per_s / rate_hz
    assert told == pytest.approx(bits_per_sample, rel=0.07)


def test_an_adxl345_at_800_hz() -> None:
    # 84 bits a sample and 50 drains a second of 110 bits.
    load = load_of(CHIPS["adxl345"].bits_per_sample, 800.0, 16)
    assert load.bits_per_s == 72_700.0
    assert load.bytes_per_s == pytest.approx(8077.8, abs=0.1)


def test_the_speed_is_a_cell_of_the_device_tree(tmp_path: Path) -> None:
    node = tmp_path / "i2c-1" / "of_node"
    node.mkdir(parents=True)
    (node / "clock-frequency").write_bytes(bytes.fromhex("000186a0"))
    assert kernel_speed_hz("/dev/i2c-1", tmp_path) == kernel_speed_hz("1", tmp_path) == 100_000.0
    assert kernel_speed_hz("/dev/i2c-2", tmp_path) is None
    (node / "clock-frequency").write_bytes(b"")
    assert kernel_speed_hz("1", tmp_path) is None
