"""The LSM6DSO and its twin against the data sheet (DS12140 rev. 2), value by value."""

from __future__ import annotations

import numpy as np
import pytest

from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import SensorError
from firmware_bridge.lsm6dso.driver import LSM6DSO
from firmware_bridge.lsm6dso.registers import Register
from firmware_bridge.lsm6dso.simulator import SimulatedLSM6DSO
from firmware_bridge.signals import Silence

# Data sheet, "Register mapping": address, name, access, reset value.
REGISTER_MAP = [
    (0x01, "FUNC_CFG_ACCESS", "R/W", 0x00),
    (0x02, "PIN_CTRL", "R/W", 0x3F),
    (0x07, "FIFO_CTRL1", "R/W", 0x00),
    (0x08, "FIFO_CTRL2", "R/W", 0x00),
    (0x09, "FIFO_CTRL3", "R/W", 0x00),
    (0x0A, "FIFO_CTRL4", "R/W", 0x00),
    (0x0B, "COUNTER_BDR_REG1", "R/W", 0x00),
    (0x0C, "COUNTER_BDR_REG2", "R/W", 0x00),
    (0x0D, "INT1_CTRL", "R/W", 0x00),
    (0x0E, "INT2_CTRL", "R/W", 0x00),
    (0x0F, "WHO_AM_I", "R", 0x6C),
    (0x10, "CTRL1_XL", "R/W", 0x00),
    (0x11, "CTRL2_G", "R/W", 0x00),
    (0x12, "CTRL3_C", "R/W", 0x04),
    (0x13, "CTRL4_C", "R/W", 0x00),
    (0x14, "CTRL5_C", "R/W", 0x00),
    (0x15, "CTRL6_C", "R/W", 0x00),
    (0x16, "CTRL7_G", "R/W", 0x00),
    (0x17, "CTRL8_XL", "R/W", 0x00),
    (0x18, "CTRL9_XL", "R/W", 0xE0),
    (0x19, "CTRL10_C", "R/W", 0x00),
    (0x1E, "STATUS_REG", "R", 0x00),
    (0x20, "OUT_TEMP_L", "R", 0x00),
    (0x21, "OUT_TEMP_H", "R", 0x00),
    (0x28, "OUTX_L_A", "R", 0x00),
    (0x29, "OUTX_H_A", "R", 0x00),
    (0x2A, "OUTY_L_A", "R", 0x00),
    (0x2B, "OUTY_H_A", "R", 0x00),
    (0x2C, "OUTZ_L_A", "R", 0x00),
    (0x2D, "OUTZ_H_A", "R", 0x00),
    (0x3A, "FIFO_STATUS1", "R", 0x00),
    (0x3B, "FIFO_STATUS2", "R", 0x00),
    (0x63, "INTERNAL_FREQ_FINE", "R", 0x00),
    (0x73, "X_OFS_USR", "R/W", 0x00),
    (0x74, "Y_OFS_USR", "R/W", 0x00),
    (0x75, "Z_OFS_USR", "R/W", 0x00),
    (0x78, "FIFO_DATA_OUT_TAG", "R", 0x00),
    (0x79, "FIFO_DATA_OUT_X_L", "R", 0x00),
    (0x7A, "FIFO_DATA_OUT_X_H", "R", 0x00),
    (0x7B, "FIFO_DATA_OUT_Y_L", "R", 0x00),
    (0x7C, "FIFO_DATA_OUT_Y_H", "R", 0x00),
    (0x7D, "FIFO_DATA_OUT_Z_L", "R", 0x00),
    (0x7E, "FIFO_DATA_OUT_Z_H", "R", 0x00),
]

# "ODR_XL" and "BDR_XL": the code of each rate.
RATE_CODES = {
    12.5: 0x1,
    26: 0x2,
    52: 0x3,
    104: 0x4,
    208: 0x5,
    417: 0x6,
    833: 0x7,
    1667: 0x8,
    3333: 0x9,
    6667: 0xA,
}
# "Mechanical characteristics" (sensitivity in mg/LSB) and "FS_XL" (code).
RANGES = {2: (0.061, 0b00), 4: (0.122, 0b10), 8: (0.244, 0b11), 16: (0.488, 0b01)}


def attach(bus: SimulatedBus, clock: SimulatedClock, chip: SimulatedLSM6DSO, **settings: float) -> LSM6DSO:
    bus.attach(0x6A, chip)
    wanted = {"rate_hz": 3333.0, "range_g": 16.0, **settings}
    return LSM6DSO(bus, clock, address=None, rate_hz=wanted["rate_hz"], range_g=wanted["range_g"])


def test_the_enum_is_the_register_map() -> None:
    assert [(register.value, register.name) for register in Register] == [
        (address, name) for address, name, _, _ in REGISTER_MAP
    ]


@pytest.mark.parametrize(("address", "name", "access", "reset"), REGISTER_MAP)
def test_reset_value_and_access(
    clock: SimulatedClock, address: int, name: str, access: str, reset: int
) -> None:
    chip = SimulatedLSM6DSO(clock, Silence())
    assert chip.read(address, 1) == bytes([reset])
    # Neither a reset nor a rate nor a FIFO mode.
    chip.write(address, b"\x08")
    assert chip.read(address, 1) == (b"\x08" if access == "R/W" else bytes([reset]))
    chip.power_cycle()
    assert chip.read(address, 1) == bytes([reset])


@pytest.mark.parametrize(("rate_hz", "code"), RATE_CODES.items())
def test_start_writes_what_the_data_sheet_says(
    bus: SimulatedBus, clock: SimulatedClock, rate_hz: float, code: int
) -> None:
    chip = SimulatedLSM6DSO(clock, Silence())
    attach(bus, clock, chip, rate_hz=rate_hz, range_g=4.0).start()
    # Watermark 256, batched at the output's rate, continuous mode.
    assert chip.read(0x07, 4) == bytes([0x00, 0x01, code, 0x06])
    # The rate and 4 g, gyroscope off, block data update and auto-increment, nothing else.
    assert chip.read(0x10, 8) == bytes([code << 4 | 0x08, 0x00, 0x44, 0x00, 0x00, 0x00, 0x00, 0x00])
    # I3C disabled.
    assert chip.read(0x18, 1) == b"\xe2"


def test_all_rates_are_offered() -> None:
    assert list(LSM6DSO.RATES_HZ.items()) == list(RATE_CODES.items())


@pytest.mark.parametrize(("range_g", "sensitivity"), RANGES.items())
def test_the_scale_of_each_range(
    bus: SimulatedBus, clock: SimulatedClock, range_g: int, sensitivity: tuple[float, int]
) -> None:
    mg_per_lsb, code = sensitivity
    chip = SimulatedLSM6DSO(clock, Silence())
    sensor = attach(bus, clock, chip, range_g=range_g)
    assert sensor.info.resolution_g == pytest.approx(mg_per_lsb / 1000)
    sensor.start()
    assert chip.read(0x10, 1)[0] & 0x0C == code << 2


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


def test_the_temperature(bus: SimulatedBus, clock: SimulatedClock) -> None:
    chip = SimulatedLSM6DSO(clock, Silence(), temperature_c=31.5)
    sensor = attach(bus, clock, chip)
    # 256 LSB/°C, 0 at 25 °C.
    assert chip.read(0x20, 2) == (1664).to_bytes(2, "little")
    assert sensor.temperature_c() == 31.5


@pytest.mark.parametrize(
    ("shift_g", "passed"),
    [((0.5, 0.5, 0.5), True), ((-0.5, 0.6, 1.6), True), ((0.5, 0.04, 0.5), False), ((0.5, 0.5, 1.8), False)],
)
def test_self_test_limits(
    bus: SimulatedBus, clock: SimulatedClock, shift_g: tuple[float, float, float], passed: bool
) -> None:
    chip = SimulatedLSM6DSO(clock, Silence(), self_test_shift_g=shift_g)
    result = attach(bus, clock, chip).self_test()
    assert result.passed is passed
    assert result.shift_g == pytest.approx(np.abs(shift_g), abs=0.01)
    # "Mechanical characteristics": 50 to 1700 mg.
    assert result.limits_g == ((0.05, 1.7), (0.05, 1.7), (0.05, 1.7))
    assert chip.read(0x14, 1) == b"\x00"


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
