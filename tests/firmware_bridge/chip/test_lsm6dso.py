"""What only the LSM6DSO does, against the data sheet (DS12140 rev. 2): tagged words, reset, turn-on."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import SensorError
from firmware_bridge.lsm6dso.driver import LSM6DSO
from firmware_bridge.lsm6dso.simulator import SimulatedLSM6DSO
from firmware_bridge.signals import Silence


def attach(bus: SimulatedBus, clock: SimulatedClock, chip: SimulatedLSM6DSO, **settings: float) -> LSM6DSO:
    bus.attach(0x6A, chip)
    wanted = {"rate_hz": 3333.0, "range_g": 16.0, **settings}
    return LSM6DSO(bus, clock, address=None, rate_hz=wanted["rate_hz"], range_g=wanted["range_g"])


def test_words_are_tagged_and_read_on(clock: SimulatedClock) -> None:
    chip = SimulatedLSM6DSO(clock, Silence(gravity_g=(1.0, -1.0, 0.0), noise_g=(0.0, 0.0, 0.0)))
    chip.write(0x09, b"\x04\x06")
    chip.write(0x10, b"\x40")
    clock.wait(5.5 / 104)
    assert chip.read(0x3A, 2) == b"\x05\x00"
    words = np.frombuffer(chip.read(0x78, 35), np.uint8).reshape(5, 7)
    # Accelerometer (0x02), time slots 0, 1, 2, 3, 0, even parity.
    assert words[:, 0].tolist() == [0b00010_00_1, 0b00010_01_0, 0b00010_10_0, 0b00010_11_1, 0b00010_00_1]
    # 1 g / 0.061 mg = 16393.
    assert words[0, 1:].tobytes() == (16393).to_bytes(2, "little") + (-16393).to_bytes(
        2, "little", signed=True
    ) + bytes(2)
    assert chip.read(0x3A, 2) == b"\x00\x00"


def test_the_flags_of_a_full_fifo(clock: SimulatedClock) -> None:
    chip = SimulatedLSM6DSO(clock, Silence())
    chip.write(0x07, b"\x00\x01\x0a\x06")
    chip.write(0x10, b"\xa0")
    clock.wait(255.5 / 6667)
    assert chip.read(0x3A, 2) == b"\xff\x00"
    clock.wait(1 / 6667)
    # Watermark.
    assert chip.read(0x3A, 2) == b"\x00\x81"
    clock.wait(255 / 6667)
    # Watermark, full at the next sample.
    assert chip.read(0x3A, 2) == b"\xff\xa1"
    clock.wait(1 / 6667)
    # Full, overrun, and latched: 512 words.
    assert chip.read(0x3A, 2) == b"\x00\xea"
    chip.read(0x78, 512 * 7)
    assert chip.read(0x3A, 2) == b"\x00\x00"


def test_a_word_of_another_kind_is_a_lost_sample(bus: SimulatedBus, clock: SimulatedClock) -> None:
    class BitError(SimulatedLSM6DSO):
        def read(self, register: int, length: int) -> bytes:
            data = super().read(register, length)
            return bytes([data[0] ^ 0x20]) + data[1:] if register == 0x78 and length == 70 else data

    sensor = attach(bus, clock, BitError(clock, Silence()))
    sensor.start()
    clock.wait(5.5 / 3333)
    sensor.read_fifo()
    clock.wait(10 / 3333)
    block = sensor.read_fifo()
    assert (len(block.samples_g), block.lost) == (9, 1)


def test_the_negative_self_test(clock: SimulatedClock) -> None:
    chip = SimulatedLSM6DSO(clock, Silence(gravity_g=(0.0, 0.0, 0.0), noise_g=(0.0, 0.0, 0.0)))
    chip.write(0x14, b"\x02")
    chip.write(0x10, b"\x30")
    clock.wait(0.1)
    chip.read(0x0F, 1)
    # -0.5 g / 0.061 mg.
    assert chip.read(0x28, 2) == (-8197).to_bytes(2, "little", signed=True)


def test_a_chip_stuck_in_reset_is_told(bus: SimulatedBus, clock: SimulatedClock) -> None:
    class Stuck(SimulatedLSM6DSO):
        def read(self, register: int, length: int) -> bytes:
            return b"\x05" if register == 0x12 else super().read(register, length)

    with pytest.raises(SensorError, match="lsm6dso on sim:bench at 0x6a: does not come out of its reset"):
        attach(bus, clock, Stuck(clock, Silence())).start()


def test_a_slow_turn_on_is_no_loss_and_does_not_spoil_the_rate(
    bus: SimulatedBus, clock: SimulatedClock
) -> None:
    class Slow(SimulatedLSM6DSO):
        def _restart(self, delay_s: float) -> None:
            super()._restart(delay_s + 0.1)

    sensor = attach(bus, clock, Slow(clock, Silence(), rate_error=0.01))
    sensor.start()
    for _ in range(120):
        clock.wait(0.05)
        block = sensor.read_fifo()
        assert block.lost == 0
    # 1 % fast; 0.1 s in 6 s would make it look 1.7 % slower.
    assert block.rate_hz == pytest.approx(3366.3, rel=1e-4)


def test_only_bad_words_are_no_block(bus: SimulatedBus, clock: SimulatedClock) -> None:
    class Gyroscope(SimulatedLSM6DSO):
        def read(self, register: int, length: int) -> bytes:
            data = super().read(register, length)
            if register == 0x78 and length == 70:
                words = np.frombuffer(data, np.uint8).reshape(-1, 7).copy()
                words[:, 0] = 0x08
                return words.tobytes()
            return data

    sensor = attach(bus, clock, Gyroscope(clock, Silence()))
    sensor.start()
    clock.wait(5.5 / 3333)
    sensor.read_fifo()
    clock.wait(10 / 3333)
    block = sensor.read_fifo()
    assert (len(block.samples_g), block.lost) == (0, 0)
    clock.wait(5 / 3333)
    block = sensor.read_fifo()
    assert (len(block.samples_g), block.lost) == (5, 10)
