"""The simulated ADXL345 against the data sheet (rev. G): sampling, formats, FIFO modes, flags."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.adxl345.registers import Register
from firmware_bridge.adxl345.simulator import SimulatedADXL345
from firmware_bridge.arrays import SignalArray, TimeArray
from firmware_bridge.clock import SimulatedClock

# Output data rate of each rate code in Hz (table 7).
RATE_CODES = {0x8: 25, 0x9: 50, 0xA: 100, 0xB: 200, 0xC: 400, 0xD: 800, 0xE: 1600, 0xF: 3200}


class Steady:
    """The same acceleration for ever."""

    def __init__(self, *acceleration_g: float) -> None:
        self.felt_g = np.array(acceleration_g)

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        return np.tile(self.felt_g, (len(times_s), 1))


class Numbered:
    """Sample k is k LSB of full resolution on x."""

    def __init__(self) -> None:
        self.times_s: list[float] = []

    def acceleration_g(self, times_s: TimeArray) -> SignalArray:
        numbers = np.arange(len(self.times_s), len(self.times_s) + len(times_s))
        self.times_s += times_s.tolist()
        return np.stack([numbers / 256, 0 * numbers, 0 * numbers], axis=1)


def counts(chip: SimulatedADXL345) -> list[int]:
    return np.frombuffer(chip.read(0x32, 6), "<i2").tolist()


def make(clock: SimulatedClock, signal: Steady | Numbered, **settings: int) -> SimulatedADXL345:
    """Return a measuring chip; settings by register name."""
    chip = SimulatedADXL345(clock, signal)
    for name, value in settings.items():
        chip.write(Register[name], bytes([value]))
    chip.write(Register.POWER_CTL, b"\x08")
    return chip


def wait_samples(clock: SimulatedClock, n: int, rate_hz: float = 100) -> None:
    """Wait from the start of measuring until sample n, and a quarter of a period."""
    clock.advance(0.0011 + (n + 0.25) / rate_hz)


def test_the_pointer_moves_on_in_one_transfer(clock: SimulatedClock) -> None:
    chip = SimulatedADXL345(clock, Steady(0, 0, 1))
    chip.write(0x1D, b"\x01\x02\x03\x04")
    assert chip.read(0x1D, 4) == b"\x01\x02\x03\x04"
    assert chip.read(0x2B, 2) == b"\x00\x0a"


@pytest.mark.parametrize("reserved", [0x01, 0x1C, 0x3A, 0x40])
def test_reserved_registers_take_nothing(clock: SimulatedClock, reserved: int) -> None:
    chip = SimulatedADXL345(clock, Steady(0, 0, 1))
    chip.write(reserved, b"\xff")
    assert chip.read(reserved, 1) == b"\x00"


def test_nothing_is_sampled_in_standby(clock: SimulatedClock) -> None:
    chip = SimulatedADXL345(clock, Steady(0, 0, 1))
    clock.advance(10)
    assert chip.read(0x30, 1) == b"\x02"
    assert counts(chip) == [0, 0, 0]


@pytest.mark.parametrize(("code", "rate_hz"), RATE_CODES.items())
def test_samples_come_at_the_rate_of_the_code(clock: SimulatedClock, code: int, rate_hz: int) -> None:
    chip = make(clock, Steady(0, 0, 1), BW_RATE=code, FIFO_CTL=0x80)
    # Turn-on takes 1.1 ms and one period (table 1).
    clock.advance(0.0011 + 0.9 / rate_hz)
    assert chip.read(0x39, 1) == b"\x00"
    clock.advance(0.2 / rate_hz)
    assert chip.read(0x39, 1) == b"\x01"
    clock.advance(10 / rate_hz)
    assert chip.read(0x39, 1) == b"\x0b"


def test_a_fast_chip_samples_too_fast(clock: SimulatedClock) -> None:
    chip = SimulatedADXL345(clock, Steady(0, 0, 1), rate_error=0.02)
    chip.write(0x2C, b"\x0d\x08")
    clock.advance(0.0011 + 100)
    chip.read(0x00, 1)
    assert chip.samples_made == 81_600


@pytest.mark.parametrize(
    ("data_format", "lsb_per_g"),
    # Table 1: 10-bit 256, 128, 64, 32 LSB/g; full resolution 256 in every range.
    [(0x00, 256), (0x01, 128), (0x02, 64), (0x03, 32), (0x08, 256), (0x09, 256), (0x0A, 256), (0x0B, 256)],
)
def test_scale_and_clipping_of_each_format(clock: SimulatedClock, data_format: int, lsb_per_g: int) -> None:
    signal = Steady(1, -1, 0.5)
    chip = make(clock, signal, DATA_FORMAT=data_format)
    wait_samples(clock, 1)
    assert counts(chip) == [lsb_per_g, -lsb_per_g, lsb_per_g // 2]
    range_g = 2 << (data_format & 3)
    signal.felt_g = np.array([50.0, -50.0, 0.0])
    clock.advance(0.01)
    assert counts(chip) == [range_g * lsb_per_g - 1, -range_g * lsb_per_g, 0]


def test_counts_are_rounded_to_the_nearest(clock: SimulatedClock) -> None:
    chip = make(clock, Steady(0.4 / 256, 0.6 / 256, -0.6 / 256), DATA_FORMAT=0x08)
    wait_samples(clock, 1)
    assert counts(chip) == [0, 1, -1]


@pytest.mark.parametrize("code", [0x0E, 0x0F])
def test_the_last_bit_is_missing_at_the_upper_rates(clock: SimulatedClock, code: int) -> None:
    chip = make(clock, Steady(101 / 256, -101 / 256, 0), BW_RATE=code, DATA_FORMAT=0x0B)
    wait_samples(clock, 1, RATE_CODES[code])
    assert counts(chip) == [100, -102, 0]


def test_offset_registers_add_15_6_mg_a_step(clock: SimulatedClock) -> None:
    chip = make(clock, Steady(0, 0, 1), DATA_FORMAT=0x0B, OFSX=0x01, OFSY=0xFF, OFSZ=0x80)
    wait_samples(clock, 1)
    assert counts(chip) == [4, -4, 256 - 512]


def test_the_self_test_pushes_every_axis(clock: SimulatedClock) -> None:
    chip = make(clock, Steady(0, 0, 1), DATA_FORMAT=0x8B)
    wait_samples(clock, 1)
    assert counts(chip) == [307, -307, 717]


def test_the_fifo_hands_out_the_oldest_first(clock: SimulatedClock) -> None:
    chip = make(clock, Numbered(), FIFO_CTL=0x90, DATA_FORMAT=0x0B)
    wait_samples(clock, 5)
    assert chip.read(0x39, 1) == b"\x05"
    assert chip.read(0x30, 1) == b"\x80"
    assert [counts(chip)[0] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert chip.read(0x39, 1) == b"\x00"
    assert chip.read(0x30, 1) == b"\x00"
    # Nothing new: the data registers keep the last sample.
    assert counts(chip)[0] == 4


def test_a_single_byte_takes_a_sample_out(clock: SimulatedClock) -> None:
    chip = make(clock, Numbered(), FIFO_CTL=0x80, DATA_FORMAT=0x0B)
    wait_samples(clock, 3)
    assert chip.read(0x32, 1) == b"\x00"
    assert chip.read(0x39, 1) == b"\x02"
    assert chip.read(0x32, 1) == b"\x01"


def test_watermark_is_set_from_its_level_on(clock: SimulatedClock) -> None:
    chip = make(clock, Steady(0, 0, 1), FIFO_CTL=0x90)
    wait_samples(clock, 15)
    assert chip.read(0x30, 1) == b"\x80"
    clock.advance(0.01)
    assert chip.read(0x30, 1) == b"\x82"
    counts(chip)
    assert chip.read(0x30, 1) == b"\x80"


def test_stream_mode_keeps_the_newest(clock: SimulatedClock) -> None:
    chip = make(clock, Numbered(), FIFO_CTL=0x80, DATA_FORMAT=0x0B)
    wait_samples(clock, 31)
    assert chip.read(0x30, 1)[0] & 0x01 == 0
    clock.advance(0.69)
    # 32 entries, and the one at the output filter: 33 samples.
    assert chip.read(0x39, 1) == b"\x20"
    assert chip.read(0x30, 1)[0] & 0x01 == 1
    assert [counts(chip)[0] for _ in range(33)] == list(range(chip.samples_made - 33, chip.samples_made))
    assert chip.read(0x30, 1)[0] & 0x01 == 0
    assert chip.samples_dropped == chip.samples_made - 33


def test_fifo_mode_stops_when_it_is_full(clock: SimulatedClock) -> None:
    chip = make(clock, Numbered(), FIFO_CTL=0x40, DATA_FORMAT=0x0B)
    wait_samples(clock, 20)
    chip.read(0x39, 1)
    clock.advance(10)
    assert chip.read(0x39, 1) == b"\x20"
    assert [counts(chip)[0] for _ in range(33)] == list(range(33))


def test_bypass_mode_holds_one_sample_and_empties_the_fifo(clock: SimulatedClock) -> None:
    chip = make(clock, Numbered(), FIFO_CTL=0x80, DATA_FORMAT=0x0B)
    wait_samples(clock, 10)
    chip.write(0x38, b"\x00")
    assert chip.read(0x39, 1) == b"\x00"
    assert chip.read(0x30, 1) == b"\x02"
    clock.advance(0.01)
    assert chip.read(0x30, 1) == b"\x82"
    clock.advance(0.02)
    assert chip.read(0x30, 1) == b"\x83"
    assert counts(chip)[0] == 12
    assert chip.read(0x30, 1) == b"\x02"


def test_the_signal_is_stepped_over_every_sample(clock: SimulatedClock) -> None:
    signal = Numbered()
    chip = make(clock, signal, FIFO_CTL=0x80)
    wait_samples(clock, 200_000)
    chip.read(0x39, 1)
    assert chip.samples_made == len(signal.times_s) == 200_000
    assert signal.times_s[0] == pytest.approx(0.0111)
    assert np.diff(signal.times_s) == pytest.approx(np.full(199_999, 0.01))


def test_a_brown_out_stops_the_chip(clock: SimulatedClock) -> None:
    chip = make(clock, Steady(0, 0, 1), BW_RATE=0x0D, FIFO_CTL=0x80)
    clock.advance(0.02)
    assert chip.read(0x39, 1) != b"\x00"
    chip.power_cycle()
    clock.advance(0.02)
    assert chip.read(0x39, 1) == b"\x00"
    assert chip.read(0x2C, 2) == b"\x0a\x00"
