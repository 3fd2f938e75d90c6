"""The twin of an MPU-6050's accelerometer: registers and FIFO, sampling as time passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from firmware_bridge.arrays import CountArray, SignalArray
from firmware_bridge.chip.simulated_chip import ByteFifo, SimulatedAccelerometer, to_counts
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.mpu6050.registers import (
    AFS_SEL_SHIFT,
    BASE_RATE_HZ,
    BYTES_PER_SAMPLE,
    FIFO_BYTES,
    LSB_PER_G,
    RANGES_G,
    TEMPERATURE_AT_0,
    TEMPERATURE_LSB_PER_C,
    TURN_ON_S,
    WHO_AM_I_VALUE,
    AccelConfig,
    FifoEn,
    IntStatus,
    PwrMgmt1,
    Register,
    UserCtrl,
)
from firmware_bridge.signals.source import SignalSource, Vector

_RANGES_G = {code: range_g for range_g, code in RANGES_G.items()}
_OUTPUTS = range(Register.ACCEL_XOUT_H, Register.ACCEL_ZOUT_L + 1)
_GYRO_RATE_UNFILTERED_HZ = 8000.0


class SimulatedMPU6050(SimulatedAccelerometer):
    """A chip (``SimulatedChip``) that feels a signal.

    Simulated: the registers of ``Register`` with their reset values, the device reset, sleep, the FIFO of
    1024 bytes with accelerometer data, its overflow that leaves it out of step, its reset, all ranges and
    sample rates with their scales, the self-test with its factory trim, and the thermometer.

    Not simulated: the gyroscope and the rest of the FIFO's sources, the filters (what is above half the rate
    folds), cycling, the I2C master, motion detection, interrupt pins, and noise.
    """

    SIZE = Register.WHO_AM_I + 1
    # Register map, 3: PWR_MGMT_1 and WHO_AM_I are not 0. The factory trim is each chip's own.
    RESET_VALUES: ClassVar[Mapping[int, int]] = {
        Register.PWR_MGMT_1: PwrMgmt1.SLEEP,
        Register.WHO_AM_I: WHO_AM_I_VALUE,
    }
    WRITABLE = frozenset(
        {
            *range(Register.SMPLRT_DIV, Register.FIFO_EN + 1),
            Register.INT_PIN_CFG,
            Register.INT_ENABLE,
            Register.SIGNAL_PATH_RESET,
            Register.USER_CTRL,
            Register.PWR_MGMT_1,
            Register.PWR_MGMT_2,
        }
    )
    # The factory trim 15 on all axes.
    SELF_TEST_SHIFT_G = (0.541, 0.541, 0.541)

    _last_byte: bytes

    def __init__(
        self,
        clock: Clock,
        signal: SignalSource,
        *,
        rate_error: float = 0.0,
        self_test_shift_g: Vector | None = None,
        temperature_c: float = 25.0,
        factory_trim: tuple[int, int, int] = (15, 15, 15),
    ) -> None:
        """Make a chip that has just been powered.

        Args:
            clock: See ``SimulatedAccelerometer``.
            signal: See there.
            rate_error: See there.
            self_test_shift_g: See there.
            temperature_c: See there.
            factory_trim: XA_TEST, YA_TEST and ZA_TEST, five bits each; 0: a chip that was never trimmed.
        """
        self._factory_trim = factory_trim
        super().__init__(
            clock,
            signal,
            rate_error=rate_error,
            self_test_shift_g=self_test_shift_g,
            temperature_c=temperature_c,
        )

    def power_cycle(self) -> None:
        """Take the supply away and give it back: all registers at their reset values, the FIFO empty."""
        super().power_cycle()
        x, y, z = self._factory_trim
        self._registers[Register.SELF_TEST_X : Register.SELF_TEST_A + 1] = bytes(
            [(x >> 2) << 5, (y >> 2) << 5, (z >> 2) << 5, (x & 3) << 4 | (y & 3) << 2 | z & 3]
        )

    def read(self, register: int, length: int) -> bytes:
        """Return ``length`` bytes from ``register`` on; all of them out of the FIFO at FIFO_R_W."""
        if register != Register.FIFO_R_W:
            data = super().read(register, length)
            if register <= Register.INT_STATUS < register + length:
                self._overflow = False
            return data
        self._sample()
        taken = self._fifo.take(length)
        self._last_byte = taken[-1:] or self._last_byte
        # An empty FIFO gives the last byte again.
        return taken.ljust(length, self._last_byte)

    def _clear_fifo(self) -> None:
        self._fifo = ByteFifo(FIFO_BYTES, 1)
        self._last_byte = b"\0"
        self._overflow = False

    def _written(self, register: int, before: int, value: int) -> None:
        if register == Register.PWR_MGMT_1 and value & PwrMgmt1.DEVICE_RESET:
            self.power_cycle()
        elif register == Register.USER_CTRL and value & UserCtrl.FIFO_RESET:
            self._registers[register] &= ~UserCtrl.FIFO_RESET
            if not value & UserCtrl.FIFO_EN:
                self._clear_fifo()
        elif register == Register.PWR_MGMT_1 and before & ~value & PwrMgmt1.SLEEP:
            self._restart(TURN_ON_S)
        elif register == Register.SMPLRT_DIV and value != before:
            # The clock is at most starting up still.
            self._restart(max(self._begin_ns - self._clock.monotonic_ns(), 0.0) / NS_PER_S)

    def _rate_hz(self) -> float:
        if self._registers[Register.PWR_MGMT_1] & PwrMgmt1.SLEEP:
            return 0.0
        filtered = self._registers[Register.CONFIG] & 0x07 not in (0, 7)
        base_hz = BASE_RATE_HZ if filtered else _GYRO_RATE_UNFILTERED_HZ
        return base_hz / (1 + self._registers[Register.SMPLRT_DIV])

    def _offset_g(self) -> SignalArray:
        config = self._registers[Register.ACCEL_CONFIG]
        pushed = [bool(config & bit) for bit in (AccelConfig.XA_ST, AccelConfig.YA_ST, AccelConfig.ZA_ST)]
        return np.asarray(self._self_test_shift_g * pushed)

    def _counts(self, felt_g: SignalArray) -> CountArray:
        code = (self._registers[Register.ACCEL_CONFIG] & AccelConfig.AFS_SEL) >> AFS_SEL_SHIFT
        return to_counts(felt_g, 1.0 / LSB_PER_G[_RANGES_G[code]], 16)

    def _store(self, counts: CountArray) -> None:
        raw = np.ascontiguousarray(counts, ">i2").tobytes()
        self._registers[_OUTPUTS.start : _OUTPUTS.stop] = raw[-BYTES_PER_SAMPLE:]
        on = self._registers[Register.USER_CTRL] & UserCtrl.FIFO_EN
        if not (on and self._registers[Register.FIFO_EN] & FifoEn.ACCEL):
            self._samples_dropped += len(counts)
            return
        dropped = self._fifo.append(raw)
        self._overflow = self._overflow or dropped > 0
        self._samples_dropped += -(-dropped // BYTES_PER_SAMPLE)

    def _refresh(self) -> None:
        status = IntStatus.FIFO_OFLOW if self._overflow else IntStatus(0)
        self._registers[Register.INT_STATUS] = status | IntStatus.DATA_RDY
        self._set_pair(Register.FIFO_COUNT_H, len(self._fifo))
        degrees = self._temperature_c - TEMPERATURE_AT_0
        self._set_pair(Register.TEMP_OUT_H, round(degrees * TEMPERATURE_LSB_PER_C))

    def _set_pair(self, high: int, value: int) -> None:
        self._registers[high : high + 2] = (value & 0xFFFF).to_bytes(2, "big")
