"""What only the ADXL355 does, against the data sheet (rev. B): entries with markers, offsets, its reset."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from firmware_bridge.adxl355.driver import ADXL355, decode
from firmware_bridge.adxl355.simulator import SimulatedADXL355
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import SensorError
from firmware_bridge.signals import Silence

STILL = (0.0, 0.0, 0.0)


def attach(
    bus: SimulatedBus,
    clock: SimulatedClock,
    chip: SimulatedADXL355,
    rate_hz: float = 4000.0,
    range_g: float = 8.0,
) -> ADXL355:
    bus.attach(0x1D, chip)
    return ADXL355(bus, clock, address=None, rate_hz=rate_hz, range_g=range_g)


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


def test_a_reset_that_loses_the_trimming_is_told(bus: SimulatedBus, clock: SimulatedClock) -> None:
    trimming = itertools.count()

    class Untrimmed(SimulatedADXL355):
        def power_cycle(self) -> None:
            super().power_cycle()
            self._registers[0x50] = next(trimming)

    with pytest.raises(SensorError, match="does not load its trimming values at a reset"):
        attach(bus, clock, Untrimmed(clock, Silence())).start()
