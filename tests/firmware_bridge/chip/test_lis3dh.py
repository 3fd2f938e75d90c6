"""What only the LIS3DH does, against the data sheet (DocID17530 rev. 2): low power, increment bit, FIFO."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.lis3dh.driver import LIS3DH
from firmware_bridge.lis3dh.simulator import SimulatedLIS3DH
from firmware_bridge.signals import Silence

STILL = (0.0, 0.0, 0.0)


def attach(
    bus: SimulatedBus,
    clock: SimulatedClock,
    chip: SimulatedLIS3DH,
    rate_hz: float = 400.0,
    range_g: float = 16.0,
) -> LIS3DH:
    bus.attach(0x18, chip)
    return LIS3DH(bus, clock, address=None, rate_hz=rate_hz, range_g=range_g)


# Table 4: full scale, mg/digit in low power.
@pytest.mark.parametrize(("range_g", "low_mg"), [(2, 16), (4, 32), (8, 64), (16, 192)])
def test_the_scale_of_each_range_in_low_power(
    bus: SimulatedBus, clock: SimulatedClock, range_g: float, low_mg: int
) -> None:
    chip = SimulatedLIS3DH(clock, Silence(gravity_g=(1.536, -1.536, 0), noise_g=STILL))
    low = attach(bus, clock, chip, rate_hz=5376, range_g=range_g)
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
