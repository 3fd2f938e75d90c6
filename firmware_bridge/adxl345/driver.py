"""Driver of the ADXL345: configured and read back at start, sampled by FIFO bursts.

Source: Analog Devices, ADXL345 data sheet rev. G. The 5 µs that must pass between two reads of the FIFO
("Retrieving Data from FIFO") are always there on I2C: addressing the register again takes longer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import numpy as np

from firmware_bridge.accelerometer import FloatArray, SampleBlock, SelfTest, SensorInfo
from firmware_bridge.adxl345.registers import (
    ADDRESS,
    ALTERNATE_ADDRESS,
    BYTES_PER_SAMPLE,
    DEVID_VALUE,
    FIFO_DEPTH,
    LSB_PER_G,
    MAX_I2C_RATE_HZ,
    RANGES_G,
    RATES_HZ,
    TURN_ON_S,
    DataFormat,
    FifoMode,
    FifoStatus,
    Interrupt,
    PowerCtl,
    Range,
    Rate,
    Register,
)
from firmware_bridge.bus import I2CBus
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import BusError, SensorError
from firmware_bridge.sample_clock import SampleClock

log = logging.getLogger(__name__)

_STANDBY = 0
# As an int: masking with an IntFlag takes longer than the rest of a drain's arithmetic.
_ENTRIES = int(FifoStatus.ENTRIES)
_LITTLE_ENDIAN = np.dtype("<i2")
_G_PER_LSB = np.float32(1.0 / LSB_PER_G)
_WATERMARK = FIFO_DEPTH // 2
# Samples by which the count may miss what the clock says, before the two contradict each other.
_COUNT_TOLERANCE = 4

# Self-test: average at least 0.1 s at 100 Hz or more; the output settles in four samples ("Using Self-Test").
# Limits of table 1 at 2.5 V, times the factors of table 14 for the 3.3 V that gateways give.
_SELF_TEST_RATE = Rate.HZ_100
_SELF_TEST_RATE_HZ = 100.0
_SELF_TEST_SETTLING = 4
_SELF_TEST_SAMPLES = 25
# (0.20, 2.10) g * 1.77 for x, the negative of it for y, (0.30, 3.40) g * 1.47 for z.
_SELF_TEST_LIMITS_G = ((0.354, 3.717), (-3.717, -0.354), (0.441, 4.998))


class ADXL345:
    """An ADXL345 on an I2C bus (``Accelerometer``), in full resolution: 3.9 mg/LSB in every range."""

    def __init__(
        self, bus: I2CBus, clock: Clock, *, address: int | None, rate_hz: float, range_g: float
    ) -> None:
        """Describe the chip; nothing is sent before ``start``.

        Args:
            bus: Where the chip is.
            clock: Source of sample times.
            address: 0x53 (None means this) or 0x1D.
            rate_hz: 25, 50, 100, 200, 400 or 800; also 1600 or 3200, which the data sheet reserves for SPI.
            range_g: 2, 4, 8 or 16.

        Raises:
            SensorError: If the chip does not offer the address, the rate or the range.
        """
        self._bus = bus
        self._clock = clock
        self._address = ADDRESS if address is None else address
        if self._address not in (ADDRESS, ALTERNATE_ADDRESS):
            raise SensorError(f"adxl345 has no address 0x{self._address:02x}; choose 0x53 or 0x1d")
        if rate_hz not in RATES_HZ:
            raise SensorError(f"adxl345 offers no rate of {rate_hz:g} Hz; choose {_choices(RATES_HZ)}")
        if range_g not in RANGES_G:
            raise SensorError(f"adxl345 offers no range of {range_g:g} g; choose {_choices(RANGES_G)}")
        self._info = SensorInfo(
            chip="adxl345",
            bus=bus.name,
            address=self._address,
            rate_hz=float(rate_hz),
            range_g=float(range_g),
            resolution_g=1.0 / LSB_PER_G,
            fifo_depth=FIFO_DEPTH,
            simulated=bus.simulated,
        )
        self._settings: dict[Register, int] = {}
        self._measuring = False
        self._samples = SampleClock(float(rate_hz))
        # True while samples may have left the chip without reaching us.
        self._torn = False

    @property
    def info(self) -> SensorInfo:
        """What the samples mean."""
        return self._info

    def start(self) -> None:
        """Check the identity, configure, read the configuration back, and begin to sample.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, or a setting does not read back.
        """
        if self._info.rate_hz > MAX_I2C_RATE_HZ:
            log.warning(
                "adxl345: the data sheet allows %g Hz over I2C, %g Hz need SPI; samples may be lost or noisy",
                MAX_I2C_RATE_HZ,
                self._info.rate_hz,
            )
        self._measure(RATES_HZ[self._info.rate_hz], DataFormat.FULL_RES | RANGES_G[self._info.range_g])

    def read_fifo(self) -> SampleBlock:
        """Drain what the FIFO holds; never waits.

        Only ENTRIES samples are read: whatever waits beside the FIFO comes with the next drain, so that none
        is read twice.

        Raises:
            BusError: If a transfer fails; the samples lost by it are counted in the next block.
            SensorError: If the chip is not started, lost its configuration, or stopped to sample.
        """
        before_ns, entries, after_ns = self._fill()
        if entries == 0:
            self._check_alive(before_ns)
            nothing = np.empty((0, 3), np.float32)
            return SampleBlock(nothing, end_ns=before_ns, rate_hz=self._samples.rate_hz, lost=0)
        # Reading the data clears OVERRUN, and only a full FIFO can have it.
        overrun = entries == FIFO_DEPTH and self._overrun()
        gap, self._torn = overrun or self._torn, True
        data = self._take(entries)
        if overrun:
            # Only an empty FIFO tells by the clock how many were lost.
            before_ns, entries, after_ns = self._fill()
            data += self._take(entries)
        self._torn = False
        lost = self._account(before_ns, after_ns, len(data) // BYTES_PER_SAMPLE, gap)
        return SampleBlock(decode(data), self._samples.end_ns, self._samples.rate_hz, lost)

    def self_test(self) -> SelfTest:
        """Run the data sheet's self-test, assuming a supply of 3.3 V; sampling starts afresh afterwards.

        Takes about 0.7 s. A machine that shakes strongly below 10 Hz can make it fail.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, does not take its settings, or does not sample.
        """
        try:
            rest_g = self._average_g(DataFormat.FULL_RES | Range.G_16)
            pushed_g = self._average_g(DataFormat.SELF_TEST | DataFormat.FULL_RES | Range.G_16)
        finally:
            self.start()
        x_g, y_g, z_g = (pushed_g - rest_g).tolist()
        limited = zip((x_g, y_g, z_g), _SELF_TEST_LIMITS_G, strict=True)
        passed = all(low <= shift_g <= high for shift_g, (low, high) in limited)
        return SelfTest(passed=passed, shift_g=(x_g, y_g, z_g), limits_g=_SELF_TEST_LIMITS_G)

    def close(self) -> None:
        """Put the chip to standby and let go of it; the bus stays open."""
        if not self._measuring:
            return
        self._measuring = False
        try:
            self._write(Register.POWER_CTL, _STANDBY)
        except BusError as error:
            log.warning("adxl345 could not be put to standby and goes on sampling: %s", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _measure(self, rate: Rate, data_format: int) -> None:
        """Configure from standby, with an empty FIFO, and begin to measure."""
        self._measuring = False
        identity = self._read(Register.DEVID)
        if identity != DEVID_VALUE:
            raise self._error(
                f"DEVID reads 0x{identity:02x} instead of 0x{DEVID_VALUE:02x}: another chip; "
                "check the configured chip and address"
            )
        self._settings = {}
        self._set(Register.POWER_CTL, _STANDBY)
        # Bypass mode empties the FIFO ("FIFO", "Bypass Mode").
        self._set(Register.FIFO_CTL, FifoMode.BYPASS)
        for offset in (Register.OFSX, Register.OFSY, Register.OFSZ):
            self._set(offset, 0)
        self._set(Register.DATA_FORMAT, data_format)
        self._set(Register.BW_RATE, rate)
        # OVERRUN is in INT_SOURCE even when no interrupt is enabled.
        self._set(Register.INT_ENABLE, 0)
        self._set(Register.FIFO_CTL, FifoMode.STREAM | _WATERMARK)
        self._set(Register.POWER_CTL, PowerCtl.MEASURE)
        self._torn = False
        self._measuring = True
        self._samples.start(self._clock.monotonic_ns() + round(TURN_ON_S * NS_PER_S))

    def _set(self, register: Register, value: int) -> None:
        self._write(register, value)
        found = self._read(register)
        if found != value:
            raise self._error(
                f"{register.name} reads 0x{found:02x} after 0x{value:02x} was written; check wiring and power"
            )
        self._settings[register] = value

    def _fill(self) -> tuple[int, int, int]:
        """Return how many samples the FIFO holds, with the times before and after."""
        if not self._measuring:
            raise self._error("is not started; call start first")
        before_ns = self._clock.monotonic_ns()
        entries = self._read(Register.FIFO_STATUS) & _ENTRIES
        return before_ns, entries, self._clock.monotonic_ns()

    def _overrun(self) -> bool:
        return bool(self._read(Register.INT_SOURCE) & Interrupt.OVERRUN)

    def _take(self, entries: int) -> bytes:
        return self._bus.read_burst(self._address, Register.DATAX0, BYTES_PER_SAMPLE, entries)

    def _account(self, before_ns: int, after_ns: int, n: int, gap: bool) -> int:
        """Return how many samples were lost before these ``n``, and move the sample clock on."""
        missing = self._samples.due(before_ns) - n
        if abs(missing) > _COUNT_TOLERANCE and not gap:
            self._check_configuration()
            gap = missing > 0
        skipped = max(missing, 0) if gap else 0
        self._samples.receive(before_ns, after_ns, n, skipped=skipped, gap=gap)
        # A full FIFO may or may not have lost its oldest sample: the safe answer is that it has.
        return max(skipped, 1) if gap else 0

    def _check_alive(self, now_ns: int) -> None:
        due = self._samples.due(now_ns)
        if due > _COUNT_TOLERANCE:
            self._check_configuration()
        if due > FIFO_DEPTH + _COUNT_TOLERANCE:
            raise self._error(f"delivered none of {due} samples though it is set to measure; power-cycle it")

    def _check_configuration(self) -> None:
        """A chip that lost its supply for a moment is back at its reset values, and in standby."""
        for register, value in self._settings.items():
            found = self._read(register)
            if found != value:
                raise self._error(
                    f"lost its configuration ({register.name} reads 0x{found:02x} instead of 0x{value:02x}); "
                    "check its supply, then start it again"
                )

    def _average_g(self, data_format: int) -> FloatArray:
        """Return the mean acceleration per axis with this DATA_FORMAT, shape (3,)."""
        self._measure(_SELF_TEST_RATE, data_format)
        self._clock.wait(TURN_ON_S + FIFO_DEPTH / _SELF_TEST_RATE_HZ)
        _, entries, _ = self._fill()
        if entries < _SELF_TEST_SETTLING + _SELF_TEST_SAMPLES:
            raise self._error(f"delivered only {entries} samples in the self-test; power-cycle it")
        samples_g = decode(self._take(entries))
        return np.asarray(samples_g[-_SELF_TEST_SAMPLES:].mean(axis=0))

    def _read(self, register: Register) -> int:
        return self._bus.read(self._address, register, 1)[0]

    def _write(self, register: Register, value: int) -> None:
        self._bus.write(self._address, register, bytes([value]))

    def _error(self, message: str) -> SensorError:
        return SensorError(f"adxl345 on {self._bus.name} at 0x{self._address:02x}: {message}")


def decode(data: bytes) -> FloatArray:
    """Return samples in g, shape (n, 3), from DATAX0 to DATAZ1 of n reads.

    Two's complement, low byte first, 256 LSB/g in full resolution ("Register 0x32 to Register 0x37").
    """
    counts = np.frombuffer(data, _LITTLE_ENDIAN).reshape(-1, 3)
    return counts.astype(np.float32) * _G_PER_LSB


def _choices(offered: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in offered)
