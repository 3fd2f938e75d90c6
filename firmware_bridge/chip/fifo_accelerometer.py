"""What the drivers of all accelerometers share: start, drain, losses, self-test, close.

A chip's driver fills in its settings and how its FIFO is read.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import ClassVar, NamedTuple, Self

import numpy as np

from firmware_bridge.arrays import FloatArray
from firmware_bridge.bus.protocol import I2CBus
from firmware_bridge.chip.accelerometer import Limits, RegisterState, SampleBlock, SelfTest, SensorInfo
from firmware_bridge.chip.chip import Chip
from firmware_bridge.chip.fifo_watch import FifoWatch, Loss
from firmware_bridge.chip.register_chip import RegisterChip, Setting
from firmware_bridge.chip.sample_clock import SampleClock
from firmware_bridge.clock import NS_PER_S, Clock
from firmware_bridge.errors import BusError, OfferError

log = logging.getLogger(__name__)

# Samples by which the count may miss what the clock says, before the two contradict each other.
_COUNT_TOLERANCE = 4
# Samples that a self-test waits beyond those it needs, for a chip whose own clock is slow.
_SPARE_SAMPLES = 3
# After so many drains in which samples may have been lost the thread has to do something else, too.
_DRAINS = 3
_NO_SAMPLES = np.empty((0, 3), np.float32)


class Force(Enum):
    """What the self-test does to the sensing element."""

    OFF = "off"
    """No self-test."""
    REST = "rest"
    """The first half of a self-test: ready, but nothing pushes."""
    PUSHED = "pushed"
    """The second half: an electrostatic force is added to what the chip feels."""


@dataclass(frozen=True)
class Setup:
    """What a chip is to be set to: rate in Hz, full scale in g."""

    rate_hz: float
    """Output data rate, one that the chip offers."""
    range_g: float
    """Full scale, one that the chip offers."""
    force: Force = Force.OFF


@dataclass(frozen=True)
class SelfTestPlan:
    """How a chip's data sheet wants its self-test done: setting, samples, limits in g."""

    rate_hz: float
    range_g: float
    settling: int
    """Samples that are thrown away after each change."""
    samples: int
    """Samples that are averaged."""
    limits_g: Limits | None
    """Lowest and highest change per axis; None if the chip itself holds them."""
    absolute: bool = True
    """True if the data sheet limits the change without its sign."""


class Fill(NamedTuple):
    """What a FIFO says of itself: how many samples wait, and whether any were lost."""

    samples: int
    """Whole samples that wait."""
    overrun: bool
    """True if older ones were, or may have been, lost."""


class FifoAccelerometer(ABC):
    """An accelerometer that samples by itself into a FIFO (``Accelerometer``)."""

    CHIP: ClassVar[Chip]
    """Its name, addresses and identity."""
    RATES_HZ: ClassVar[Mapping[float, int]]
    """Output data rates that are offered, with their codes."""
    RANGES_G: ClassVar[Mapping[float, int]]
    """Full scales that are offered, with their codes."""
    FIFO_DEPTH: ClassVar[int]
    """Samples that the FIFO holds."""
    SELF_TEST: ClassVar[SelfTestPlan]
    STANDBY: ClassVar[Setting]
    """What stops the sampling."""

    _torn: bool
    """A read was interrupted: samples may have left the chip without reaching us."""
    _gap: bool
    """Samples were lost since the last block."""

    def __init__(
        self,
        bus: I2CBus,
        clock: Clock,
        *,
        address: int | None,
        rate_hz: float,
        range_g: float,
        known: Collection[Chip] = (),
    ) -> None:
        """Describe the chip; nothing is sent before ``start``.

        Args:
            bus: Where the chip is.
            clock: Source of sample times.
            address: 7-bit I2C address, or None for the usual one.
            rate_hz: A key of ``RATES_HZ``.
            range_g: A key of ``RANGES_G``.
            known: Chips that can be told by name if another one answers.

        Raises:
            OfferError: If the chip does not offer the address, the rate or the range.
        """
        address = self.CHIP.usual_address if address is None else address
        self._check_offer(address, rate_hz, range_g)
        self._setup = Setup(float(rate_hz), float(range_g))
        self._clock = clock
        self._chip = RegisterChip(self.CHIP, bus, address, known)
        self._info = SensorInfo(
            chip=self.CHIP.name,
            bus=bus.name,
            address=address,
            rate_hz=self._setup.rate_hz,
            range_g=self._setup.range_g,
            resolution_g=self._resolution_g(self._setup),
            fifo_depth=self.FIFO_DEPTH,
            simulated=bus.simulated,
        )
        self._measuring = False
        self._samples = SampleClock(self._setup.rate_hz)
        # So that every attribute has a value before ``start``, too.
        self._begin(self._setup)

    @property
    def info(self) -> SensorInfo:
        """What the samples mean."""
        return self._info

    def start(self) -> None:
        """Check the identity, configure, read the configuration back, and begin to sample.

        If that fails, a chip that is the right one is put to standby.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, or a setting does not read back.
        """
        self._measure(self._setup)

    def read_fifo(self) -> SampleBlock:
        """Drain what the FIFO holds; never waits.

        Only the samples that the chip counted are read: whatever comes meanwhile waits for the next drain, so
        that none is read twice. Between count and read the chip goes on: if this thread was suspended there
        for so long that the FIFO may have overflowed, the gap stands before the block. If it was suspended
        within the read, nobody can tell where the gap is: what was read is dropped and counted as lost.

        Raises:
            BusError: If a transfer fails; the samples lost by it are counted in the next block that has any.
            SensorError: If the chip is not started, lost its configuration, or stopped to sample.
        """
        if not self._measuring:
            raise self._chip.error("is not started; call start first")
        if self._torn:
            self._realign()
            self._torn, self._gap = False, True
        blocks: list[FloatArray] = []
        for _ in range(_DRAINS):
            before_ns, fill, after_ns = self._look()
            if fill.samples == 0:
                if not blocks:
                    self._watch.emptied(before_ns)
                    self._check_alive(before_ns)
                break
            blocks, whole = self._drained(before_ns, fill, blocks)
            self._watch.emptied(before_ns)
            if whole:
                break
        samples_g = np.concatenate(blocks) if blocks else _NO_SAMPLES
        if len(samples_g) == 0:
            return self._nothing(before_ns)
        lost = self._account(before_ns, after_ns, len(samples_g))
        self._watch.emptied(self._samples.end_ns)
        return SampleBlock(samples_g, self._samples.end_ns, self._samples.rate_hz, lost)

    def self_test(self) -> SelfTest:
        """Run the data sheet's self-test; sampling starts afresh afterwards.

        A machine that shakes strongly at a few hertz can make it fail.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one, does not take its settings, does not sample, or holds no
                limits to judge by.
        """
        plan = self.SELF_TEST
        try:
            rest_g = self._average_g(plan, Force.REST)
            limits_g = plan.limits_g or self._factory_limits_g()
            pushed_g = self._average_g(plan, Force.PUSHED)
        finally:
            self.start()
        change_g = pushed_g - rest_g
        x_g, y_g, z_g = (np.abs(change_g) if plan.absolute else change_g).tolist()
        limited = zip((x_g, y_g, z_g), limits_g, strict=True)
        passed = all(low <= shift_g <= high for shift_g, (low, high) in limited)
        return SelfTest(passed=passed, shift_g=(x_g, y_g, z_g), limits_g=limits_g)

    def close(self) -> None:
        """Put the chip to standby and let go of it; the bus stays open."""
        if not self._measuring:
            return
        self._measuring = False
        try:
            self._chip.write(*self.STANDBY)
        except BusError as error:
            log.warning("%s could not be put to standby and goes on sampling: %s", self.CHIP.name, error)

    def configuration(self) -> list[RegisterState]:
        """Read the chip's present configuration, in the order of ``start``; nothing is written.

        Raises:
            BusError: If a transfer fails.
            SensorError: If the chip is another one.
        """
        self._chip.check_identity()
        wanted = dict(self._settings(self._setup))
        return [
            RegisterState(register.name, self._chip.value(register), value)
            for register, value in wanted.items()
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _settings(self, setup: Setup) -> list[Setting]:
        """Return what to write, in order, from a sleeping chip to a sampling one with an empty FIFO."""

    @abstractmethod
    def _resolution_g(self, setup: Setup) -> float:
        """Return the acceleration of one least significant bit, in g."""

    @abstractmethod
    def _fill(self) -> Fill:
        """Ask the FIFO how many samples it holds."""

    @abstractmethod
    def _take(self, n: int) -> FloatArray:
        """Return ``n`` samples out of the FIFO, the oldest first, in g, shape (n, 3).

        Fewer, the newest that follow each other, if some cannot be told; then ``_gap`` is set.
        """

    def _turn_on_s(self, setup: Setup) -> float:
        """Return how much longer the first sampling period is than the others, at most, in seconds."""
        return 0.0

    def _reset(self) -> None:  # noqa: B027 - not every chip has a reset
        """Bring the chip to its state after power-on."""

    def _realign(self) -> None:  # noqa: B027 - most FIFOs stay in step by themselves
        """Bring the FIFO back into step after a read that was interrupted."""

    def _factory_limits_g(self) -> Limits:
        """Return the limits that the chip itself holds, in g; see ``SelfTestPlan.limits_g``."""
        raise NotImplementedError

    def _begin(self, setup: Setup) -> None:
        """Forget all samples: the first comes when the chip is turned on and a period has passed."""
        self._g_per_lsb = np.float32(self._resolution_g(setup))
        # When the FIFO last held, or could hold, anything.
        self._stirred_ns = self._clock.monotonic_ns() + round(self._turn_on_s(setup) * NS_PER_S)
        self._samples.start(self._stirred_ns)
        self._watch = FifoWatch(self.FIFO_DEPTH, self._samples, self._stirred_ns)
        self._counted = False
        self._torn = self._gap = False

    def _measure(self, setup: Setup) -> None:
        self._measuring = False
        self._chip.check_identity()
        try:
            self._reset()
            self._chip.configure(self._settings(setup))
            self._begin(setup)
            self._measuring = True
        finally:
            # Whatever ended it, even Ctrl-C: nothing half configured goes on sampling.
            if not self._measuring:
                with suppress(BusError):
                    self._chip.write(*self.STANDBY)

    def _look(self) -> tuple[int, Fill, int]:
        """Return what the FIFO holds, with the times before and after it was asked."""
        before_ns = self._clock.monotonic_ns()
        fill = self._fill()
        if fill.samples or fill.overrun:
            self._stirred_ns = before_ns
        self._gap = self._gap or fill.overrun
        return before_ns, fill, self._clock.monotonic_ns()

    def _drained(
        self, before_ns: int, fill: Fill, earlier: list[FloatArray]
    ) -> tuple[list[FloatArray], bool]:
        """Read what was counted.

        Args:
            before_ns: Time just before the chip was asked what the FIFO holds.
            fill: What it said.
            earlier: What was read in the same turn and is followed by it, if no sample is lost in between.

        Returns:
            The samples that follow each other, in g, shapes (n, 3); and False if another look is needed: to
            learn by the clock how many were lost, which only a FIFO that has room tells, or for new ones.
        """
        start_ns = self._clock.monotonic_ns()
        self._torn = True
        samples_g = self._take(fill.samples)
        self._torn = False
        end_ns = self._clock.monotonic_ns()
        loss = self._watch.loss(fill.samples, before_ns=before_ns, start_ns=start_ns, end_ns=end_ns)
        self._gap = self._gap or loss is not Loss.NONE
        if loss is Loss.WITHIN:
            return [], False
        if fill.overrun or loss is Loss.BEFORE:
            return [samples_g], False
        return [*earlier, samples_g], True

    def _nothing(self, now_ns: int) -> SampleBlock:
        return SampleBlock(_NO_SAMPLES, now_ns, self._samples.rate_hz, lost=0)

    def _account(self, before_ns: int, after_ns: int, n: int) -> int:
        """Return how many samples were lost before these ``n``, and move the sample clock on."""
        gap, self._gap = self._gap, False
        missing = self._samples.due(before_ns) - n
        # The first samples tell nothing but how long the chip took to turn on.
        first, self._counted = not self._counted, True
        if not first and not gap and abs(missing) > _COUNT_TOLERANCE:
            self._chip.check_configuration()
            gap = missing > 0
        skipped = max(missing, 0) if gap else 0
        self._samples.receive(before_ns, after_ns, n, skipped=skipped, gap=gap or first)
        # A full FIFO may or may not have lost its oldest sample: the safe answer is that it has.
        return max(skipped, 1) if gap else 0

    def _check_alive(self, now_ns: int) -> None:
        due = int((now_ns - self._stirred_ns) * self._samples.rate_hz / NS_PER_S)
        if due > _COUNT_TOLERANCE:
            self._chip.check_configuration()
        if due > self.FIFO_DEPTH + _COUNT_TOLERANCE:
            raise self._chip.error(
                f"delivered none of {due} samples though it is set to measure; power-cycle it"
            )

    def _average_g(self, plan: SelfTestPlan, force: Force) -> FloatArray:
        """Return the mean acceleration per axis under this force, shape (3,)."""
        setup = Setup(plan.rate_hz, plan.range_g, force)
        self._measure(setup)
        needed = plan.settling + plan.samples
        self._clock.wait(self._turn_on_s(setup) + (needed + _SPARE_SAMPLES) / plan.rate_hz)
        _, fill, _ = self._look()
        if fill.samples < needed:
            raise self._chip.error(f"delivered only {fill.samples} samples in the self-test; power-cycle it")
        return np.asarray(self._take(fill.samples)[-plan.samples :].mean(axis=0))

    def _check_offer(self, address: int, rate_hz: float, range_g: float) -> None:
        problems = {}
        if address not in self.CHIP.addresses:
            choices = " or ".join(f"0x{choice:02x}" for choice in self.CHIP.addresses)
            problems["address"] = f"{self.CHIP.name} has no address 0x{address:02x}; choose {choices}"
        settings = {"rate_hz": (rate_hz, "Hz", self.RATES_HZ), "range_g": (range_g, "g", self.RANGES_G)}
        for name, (value, unit, offered) in settings.items():
            if value not in offered:
                what, choices = name.partition("_")[0], ", ".join(f"{choice:.9g}" for choice in offered)
                problems[name] = f"{self.CHIP.name} offers no {what} of {value:g} {unit}; choose {choices}"
        if problems:
            raise OfferError(problems)
