"""The twin of an IIO accelerometer: a tree of files as in sysfs, and a pipe as the device."""

from __future__ import annotations

import fcntl
import math
import os
import struct
import termios
from pathlib import Path

import numpy as np

from firmware_bridge.axes import AXES
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.iio.attributes import STANDARD_GRAVITY
from firmware_bridge.signals.source import SignalSource


class SimulatedIioDevice:
    """A device of 16-bit channels that feels a signal. ``pump`` does what the kernel does by itself.

    Simulated: the attributes of an accelerometer with its own FIFO (rates, scales, scan elements, buffer),
    and samples in a pipe while the buffer is enabled; what does not fit is dropped, as the newest are.

    Not simulated: refused values (files take anything), triggers, watermarks, and the blocking of reads.
    """

    def __init__(
        self,
        root: Path,
        clock: Clock,
        signal: SignalSource,
        *,
        number: int = 0,
        name: str = "lis3dh_accel",
        rates_hz: tuple[float, ...] = (100.0, 200.0, 400.0),
        scales: tuple[float, ...] = (0.009806, 0.019613, 0.039226, 0.117679),
        bits: int = 12,
        rate_error: float = 0.0,
    ) -> None:
        """Make the files; the values are those of Linux's driver of the LIS3DH.

        Args:
            root: Where ``sys`` and ``dev`` are made.
            clock: What makes samples appear.
            signal: What the device feels; time 0 is now.
            number: As in ``iio:deviceN``.
            name: The attribute ``name``.
            rates_hz: Rates that are offered; the first is set.
            scales: Scales that are offered, in m/s² per count; the first is set.
            bits: Width of a value, left-justified in 16 bits, little-endian.
            rate_error: Part by which the device samples too fast.
        """
        self.folder = root / "sys/bus/iio/devices" / f"iio:device{number}"
        self.node = root / "dev" / self.folder.name
        self._clock = clock
        self._signal = signal
        self._bits = bits
        self._rate_factor = 1.0 + rate_error
        self._power_on_ns = clock.monotonic_ns()
        self._enabled_ns: int | None = None
        self._made = 0
        self.samples_dropped = 0
        self._make_files(name, rates_hz, scales)
        # A pipe is what a device's node looks like to a reader: bytes in order, or none yet.
        os.mkfifo(self.node)
        # Read and write, so that the pipe stays open whoever comes and goes (fifo(7)).
        self._pipe = os.open(self.node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._pipe)

    def pump(self) -> None:
        """Put the samples that are due by now into the pipe."""
        if self._read("buffer/enable") != "1":
            self._enabled_ns = None
            return
        if self._enabled_ns is None:
            self._enabled_ns = self._clock.monotonic_ns()
            self._made = 0
        period_ns = NS_PER_S / (float(self._read("sampling_frequency")) * self._rate_factor)
        due = math.floor((self._clock.monotonic_ns() - self._enabled_ns) / period_ns + 1e-6)
        if due > self._made:
            numbers = np.arange(self._made + 1, due + 1)
            self._send((self._enabled_ns - self._power_on_ns + numbers * period_ns) / NS_PER_S)
            self._made = due

    def _send(self, times_s: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
        g_per_lsb = float(self._read("in_accel_scale")) / STANDARD_GRAVITY
        limit = 1 << (self._bits - 1)
        counts = np.clip(np.rint(self._signal.acceleration_g(times_s) / g_per_lsb), -limit, limit - 1)
        scans = (counts.astype(np.int32) << (16 - self._bits)).astype("<i2")
        (waiting,) = struct.unpack("i", fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4)))
        room = max(int(self._read("buffer/length")) - waiting // scans[0].nbytes, 0)
        os.write(self._pipe, scans[:room].tobytes())
        self.samples_dropped += max(len(scans) - room, 0)

    def _make_files(self, name: str, rates_hz: tuple[float, ...], scales: tuple[float, ...]) -> None:
        self._write("name", name)
        self._write("sampling_frequency", f"{rates_hz[0]:g}")
        self._write("sampling_frequency_available", " ".join(f"{rate_hz:g}" for rate_hz in rates_hz))
        self._write("in_accel_scale", f"{scales[0]:.6f}")
        self._write("in_accel_scale_available", " ".join(f"{scale:.6f}" for scale in scales))
        for index, axis in enumerate(AXES):
            self._write(f"scan_elements/in_accel_{axis}_en", "0")
            self._write(f"scan_elements/in_accel_{axis}_index", str(index))
            self._write(f"scan_elements/in_accel_{axis}_type", f"le:s{self._bits}/16>>{16 - self._bits}")
        self._write("scan_elements/in_timestamp_en", "1")
        self._write("scan_elements/in_timestamp_index", "3")
        self._write("scan_elements/in_timestamp_type", "le:s64/64>>0")
        self._write("buffer/enable", "0")
        self._write("buffer/length", "2")
        self._write("buffer/watermark", "1")
        self.node.parent.mkdir(exist_ok=True)

    def _write(self, attribute: str, value: str) -> None:
        path = self.folder / attribute
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n", "ascii")

    def _read(self, attribute: str) -> str:
        return (self.folder / attribute).read_text("ascii").strip()
