"""An accelerometer that the kernel drives: configured by sysfs, sampled from ``/dev/iio:deviceN``.

Source: Linux ``Documentation/ABI/testing/sysfs-bus-iio``, ``Documentation/iio/iio_devbuf.rst``.
"""

from __future__ import annotations

import errno
import logging
import math
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from firmware_bridge.arrays import FloatArray
from firmware_bridge.axes import AXES
from firmware_bridge.chip.accelerometer import SampleBlock, SelfTest, SensorInfo
from firmware_bridge.chip.sample_clock import SampleClock
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import BridgeError, BusError, SensorError
from firmware_bridge.iio.attributes import STANDARD_GRAVITY, Attributes

log = logging.getLogger(__name__)

CHIP = "iio"
_BUFFER_S = 1.0
_SHORTEST_BUFFER, _LONGEST_BUFFER = 128, 8192
# A full scale this much beside the one wanted is another one; some chips' scales end well above their name.
_RANGE_TOLERANCE = 1.6
_RATE_TOLERANCE = 0.02
# Samples by which the count may miss what the clock says, before samples must have been lost.
_COUNT_TOLERANCE = 8


class IioAccelerometer:
    """An accelerometer of the kernel's (``Accelerometer``), read through its own buffer, without a trigger.

    Its driver must have a hardware FIFO or a trigger of its own. A mount matrix is not applied. When the
    buffer is full, the kernel drops the newest samples: the loss comes after what was read.
    """

    def __init__(
        self,
        device: str,
        clock: Clock,
        *,
        rate_hz: float,
        range_g: float,
        root: Path = Path("/"),
    ) -> None:
        """Find the device and choose its settings; nothing is written before ``start``.

        Args:
            device: Number, or name as in the attribute ``name``.
            clock: Source of sample times.
            rate_hz: Sampling frequency, one that the device offers.
            range_g: Full scale; that of the device next to it is taken.
            root: Where ``sys`` and ``dev`` are; another than ``/`` is a twin.

        Raises:
            BusError: If there is no such device, or it cannot be read.
            SensorError: If it is no accelerometer, or does not offer the rate or the range.
        """
        self._attributes = Attributes(device, root)
        self._clock = clock
        # Drivers differ in whether rate and scale belong to the device, the accelerometer or each axis.
        self._rate_name = self._attributes.first_of("in_accel_sampling_frequency", "sampling_frequency")
        self._scale_name = self._attributes.first_of("in_accel_scale", "in_accel_x_scale")
        self._rate = self._choose_rate(rate_hz)
        formats = self._attributes.formats()
        self._bits = formats[0].bits
        self._shifts = np.array([sample_format.shift for sample_format in formats])
        # Each channel stands at a multiple of its own size; three alike leave no hole.
        self._scan = np.dtype([(axis, f.dtype) for axis, f in zip(AXES, formats, strict=True)], align=True)
        self._scale = self._choose_scale(range_g)
        # A second of samples: as long as whoever reads may be held up without a loss.
        length = int(min(max(rate_hz * _BUFFER_S, _SHORTEST_BUFFER), _LONGEST_BUFFER))
        self._info = SensorInfo(
            chip=CHIP,
            bus=self._attributes.bus,
            address=None,
            rate_hz=float(rate_hz),
            range_g=float(range_g),
            resolution_g=self._scale / STANDARD_GRAVITY,
            fifo_depth=length,
            simulated=root != Path("/"),
        )
        self._descriptor = -1
        self._samples = SampleClock(self._info.rate_hz)
        self._begin()

    @property
    def info(self) -> SensorInfo:
        """What the samples mean; ``fifo_depth`` is that of the kernel's buffer."""
        return self._info

    def start(self) -> None:
        """Configure the device, read the configuration back, and begin to sample.

        Raises:
            BusError: If an attribute or the device cannot be written or opened.
            SensorError: If a setting does not read back.
        """
        self.close()
        try:
            self._configure()
            self._descriptor = self._open()
            self._attributes.write("buffer/enable", "1")
        except BridgeError:
            self._stop_buffer()
            self._close_node()
            raise
        self._begin()

    def read_fifo(self) -> SampleBlock:
        """Take what the kernel's buffer holds; never waits.

        Raises:
            BusError: If the device cannot be read, such as after it was unplugged.
            SensorError: If the sensor is not started, or stopped to sample.
        """
        if self._descriptor < 0:
            raise SensorError(f"{self._attributes.bus}: is not started; call start first")
        now_ns = self._clock.monotonic_ns()
        samples_g = self._read()
        if len(samples_g) == 0:
            self._check_alive(now_ns)
            return SampleBlock(samples_g, end_ns=now_ns, rate_hz=self._samples.rate_hz, lost=0)
        lost = self._account(now_ns, len(samples_g))
        return SampleBlock(samples_g, self._samples.end_ns, self._samples.rate_hz, lost)

    def self_test(self) -> SelfTest:
        """Refuse: the kernel's interface has no self-test.

        Raises:
            SensorError: Always.
        """
        raise SensorError(
            f"{self._attributes.bus}: the kernel's driver has no self-test; unload it to use judder's own"
        )

    def close(self) -> None:
        """Stop the buffer and let go of the device; may be called twice."""
        if self._descriptor < 0:
            return
        self._stop_buffer()
        self._close_node()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _choose_rate(self, rate_hz: float) -> str:
        offered = self._attributes.offered(self._rate_name)
        for offer_hz in offered:
            if math.isclose(offer_hz, rate_hz, rel_tol=_RATE_TOLERANCE):
                return f"{offer_hz:g}"
        if offered:
            choices = ", ".join(f"{offer_hz:g}" for offer_hz in offered)
            raise SensorError(f"{self._attributes.bus}: offers no rate of {rate_hz:g} Hz; choose {choices}")
        return f"{rate_hz:g}"

    def _choose_scale(self, range_g: float) -> float:
        """Return the scale, in m/s² per count, whose full scale is next to the one wanted."""
        name = self._scale_name
        scales = self._attributes.offered(name) or [float(self._attributes.read(name))]
        counts = 1 << (self._bits - 1)
        full_scales_g = {scale * counts / STANDARD_GRAVITY: scale for scale in scales if scale > 0}
        for full_g in sorted(full_scales_g, key=lambda full_g: abs(math.log(full_g / range_g))):
            if 1 / _RANGE_TOLERANCE <= full_g / range_g <= _RANGE_TOLERANCE:
                return full_scales_g[full_g]
            break
        choices = ", ".join(f"{full_g:.3g}" for full_g in sorted(full_scales_g))
        raise SensorError(f"{self._attributes.bus}: offers no range of {range_g:g} g; choose {choices}")

    def _configure(self) -> None:
        attributes = self._attributes
        attributes.write("buffer/enable", "0")
        attributes.write(self._rate_name, self._rate)
        self._check(self._rate_name, float(self._rate))
        if attributes.offered(self._scale_name):
            attributes.write(self._scale_name, f"{self._scale:.9g}")
        self._check(self._scale_name, self._scale)
        wanted = [f"scan_elements/in_accel_{axis}_en" for axis in AXES]
        for name in attributes.scan_elements():
            attributes.write(name, "1" if name in wanted else "0")
        attributes.write("buffer/length", str(self._info.fifo_depth))
        if attributes.has("buffer/watermark"):
            # Fewer wake-ups of the kernel; a read takes what is there all the same.
            attributes.write("buffer/watermark", str(self._info.fifo_depth // 4))

    def _check(self, name: str, value: float) -> None:
        found = self._attributes.read(name)
        if not math.isclose(float(found), value, rel_tol=_RATE_TOLERANCE):
            raise SensorError(f"{self._attributes.bus}: {name} reads {found} after {value:g} was written")

    def _open(self) -> int:
        node = self._attributes.node
        try:
            return os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            hint = f"{node} cannot be opened: {error.strerror}"
            if error.errno == errno.EBUSY:
                hint += "; another program reads it"
            raise self._attributes.error(hint, error.errno) from error

    def _begin(self) -> None:
        self._stirred_ns = self._clock.monotonic_ns()
        self._samples.start(self._stirred_ns)
        self._counted = False
        # The buffer was full: the kernel drops until it is read.
        self._dropping = False

    def _read(self) -> FloatArray:
        try:
            data = os.read(self._descriptor, self._info.fifo_depth * self._scan.itemsize)
        except BlockingIOError:
            data = b""
        except OSError as error:
            raise self._attributes.error(
                f"cannot be read: {error.strerror}; plug the sensor in again", error.errno
            ) from error
        scans = np.frombuffer(data[: len(data) // self._scan.itemsize * self._scan.itemsize], self._scan)
        counts = np.stack([scans[axis].astype(np.int32) for axis in AXES], axis=1) >> self._shifts
        # Bits above the value are not defined to be its sign.
        unused = 32 - self._bits
        counts = (counts.astype(np.int32) << unused) >> unused
        return np.asarray(counts.astype(np.float32) * np.float32(self._info.resolution_g))

    def _account(self, now_ns: int, n: int) -> int:
        """Return how many samples were lost before these ``n``, and move the sample clock on."""
        self._stirred_ns = now_ns
        missing = self._samples.due(now_ns) - n
        gap, self._dropping = self._dropping, n >= self._info.fifo_depth
        if self._dropping:
            # What was dropped came after these: they end when the buffer was full.
            end_ns = round(self._samples.end_ns + n * NS_PER_S / self._samples.rate_hz)
            self._samples.receive(end_ns, end_ns, n, gap=True)
            return int(gap)
        # The first samples tell nothing but how long the device took to turn on.
        first, self._counted = not self._counted, True
        gap = gap or (not first and missing > _COUNT_TOLERANCE)
        skipped = max(missing, 0) if gap else 0
        self._samples.receive(now_ns, now_ns, n, skipped=skipped, gap=gap or first)
        return max(skipped, 1) if gap else 0

    def _check_alive(self, now_ns: int) -> None:
        due = int((now_ns - self._stirred_ns) * self._info.rate_hz / NS_PER_S)
        if due > self._info.fifo_depth + _COUNT_TOLERANCE:
            raise SensorError(
                f"{self._attributes.bus}: delivered none of {due} samples; does its driver need a trigger, "
                "or is its interrupt not wired?"
            )

    def _stop_buffer(self) -> None:
        try:
            self._attributes.write("buffer/enable", "0")
        except BusError as error:
            log.warning("%s could not be stopped and goes on sampling: %s", self._attributes.bus, error)

    def _close_node(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)
