"""Who is served when on a bus, and when a sampler wants to be served, in simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sensing.bus_sampler import BusSampler
from agent.sensing.ring_buffer import RingBuffer
from agent.sensing.sampler import Sampler, SamplerStatus, SensorState
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from firmware_bridge.chip.accelerometer import Accelerometer, SampleBlock, SensorInfo
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.errors import BusError, SensorError

MS = 1_000_000


class Due:
    """Stands for a sampler: has its deadlines, and notes when it is served."""

    def __init__(self, name: str, due_ms: int, overflow_ms: int, early_ms: int, served: list[str]) -> None:
        self.name = name
        self.due_ns, self.overflow_ns, self.early_ns = due_ms * MS, overflow_ms * MS, early_ms * MS
        self._served = served

    def turn(self) -> None:
        self._served.append(self.name)

    def close(self) -> None:
        pass


def bus(clock: SimulatedClock, sent: list[str], *samplers: Due) -> BusSampler:
    return BusSampler("sim:bus", cast("list[Sampler]", samplers), clock, Watchdog(sent.append, clock))


deadlines = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=6
)


@given(deadlines, st.integers(0, 4000))
def test_who_is_due_is_served_once_and_who_loses_first_is_first(
    given_ms: list[tuple[int, int, int]], now_ms: int
) -> None:
    clock, served = SimulatedClock(), list[str]()
    clock.advance(now_ms / 1000)
    samplers = [
        Due(str(number), due, due + left, due - early, served)
        for number, (due, left, early) in enumerate(given_ms)
    ]
    bus(clock, [], *samplers).turn()
    at_ns = clock.monotonic_ns()
    earliest_ms = min(due for due, _, _ in given_ms)
    # It wakes at the earliest deadline, at once if that has passed, and after a second at the latest.
    assert at_ns == min(max(now_ms, earliest_ms), now_ms + 1000) * MS
    by_name = {sampler.name: sampler for sampler in samplers}
    expected = {sampler.name for sampler in samplers if sampler.early_ns <= at_ns}
    if earliest_ms > now_ms + 1000:
        expected = set()  # it only woke for the watchdog
    assert (set(served), len(served)) == (expected, len(expected))
    left = [by_name[name].overflow_ns for name in served]
    assert left == sorted(left)


def test_a_bus_that_was_asked_to_stop_serves_nobody() -> None:
    clock, served = SimulatedClock(), list[str]()
    thread = bus(clock, [], Due("press", 0, 0, 0, served))
    thread.start()
    assert thread.stop(5.0)
    served.clear()
    thread.turn()
    assert served == []


def test_each_sensor_served_is_a_sign_of_life() -> None:
    """Twelve sensors of which each takes a second are slow, and not stuck."""
    clock, sent = SimulatedClock(), list[str]()
    watchdog = Watchdog(sent.append, clock)

    class Slow(Due):
        def turn(self) -> None:
            clock.advance(1.0)
            assert watchdog.poll()

    samplers = [Slow(str(number), 0, 0, 0, []) for number in range(12)]
    thread = BusSampler("sim:bus", cast("list[Sampler]", samplers), clock, watchdog)
    watchdog.register(thread.name, 1.5)
    thread.turn()
    assert sent == ["WATCHDOG=1"] * 12


INFO = SensorInfo(
    chip="adxl345",
    bus="sim:bus",
    address=0x53,
    rate_hz=800.0,
    range_g=16.0,
    resolution_g=1 / 256,
    fifo_depth=32,
    simulated=True,
)


class Chip:
    """An accelerometer whose answers the test says: a number of samples, or an error."""

    info = INFO

    def __init__(self, clock: SimulatedClock) -> None:
        self.clock = clock
        self.answers: list[int | Exception] = []
        self.starts: list[Exception] = []
        self.open = 0

    def start(self) -> None:
        if self.starts:
            raise self.starts.pop(0)

    def read_fifo(self) -> SampleBlock:
        answer = self.answers.pop(0) if self.answers else 16
        if isinstance(answer, Exception):
            raise answer
        return SampleBlock(np.zeros((answer, 3), np.float32), self.clock.monotonic_ns(), 800.0, lost=0)


class Steps:
    """A sampler of such a chip, that waits a second, then two, then four, at most four."""

    def __init__(self) -> None:
        self.clock = SimulatedClock()
        self.chip = Chip(self.clock)
        self.ring = RingBuffer(1024, 3)
        backoff = Backoff("bench", 1.0, 4.0, jitter=0.0)
        self.sampler = Sampler("press", self.opened, self.ring, self.clock, backoff)

    @contextmanager
    def _opened(self) -> Iterator[Chip]:
        self.chip.open += 1
        try:
            yield self.chip
        finally:
            self.chip.open -= 1

    def opened(self) -> AbstractContextManager[Accelerometer]:
        return cast("AbstractContextManager[Accelerometer]", self._opened())

    def turn(self) -> float:
        """Wait until the sampler is due, turn it, and return how long it wants to wait, in ms."""
        self.clock.advance(max(self.sampler.due_ns - self.clock.monotonic_ns(), 0) / 1e9)
        self.sampler.turn()
        return (self.sampler.due_ns - self.clock.monotonic_ns()) / MS

    @property
    def status(self) -> SamplerStatus:
        return self.sampler.status()


@pytest.fixture
def steps() -> Steps:
    return Steps()


def failure(code: int | None = None) -> BusError:
    return BusError("no answer", bus="sim:bus", address=0x53, code=code)


def test_the_deadline_is_half_of_the_fifo_and_the_loss_is_at_its_end(steps: Steps) -> None:
    assert steps.turn() == 20.0  # 16 samples at 800 Hz
    assert (steps.sampler.overflow_ns, steps.sampler.early_ns) == (40 * MS, 15 * MS)
    assert steps.turn() == 20.0
    assert (steps.sampler.overflow_ns, steps.sampler.early_ns) == (60 * MS, 35 * MS)


def test_a_transfer_is_tried_again_after_two_four_and_eight_milliseconds(steps: Steps) -> None:
    steps.turn()
    steps.chip.answers = [failure(121)] * 3  # EREMOTEIO
    assert [steps.turn() for _ in range(4)] == [2.0, 4.0, 8.0, 20.0]
    assert (steps.status.retried, steps.status.reopened, steps.status.error) == (3, 0, None)
    steps.chip.answers = [failure(121)]
    assert steps.turn() == 2.0  # each trouble begins with the shortest wait


def test_waits_double_up_to_the_longest_and_begin_anew_with_a_sample(steps: Steps) -> None:
    steps.chip.starts = [failure()] * 4
    assert [steps.turn() for _ in range(4)] == [1000.0, 2000.0, 4000.0, 4000.0]
    assert (steps.status.state, steps.status.reopened, steps.chip.open) == (SensorState.FAILED, 4, 0)
    steps.turn()
    steps.turn()
    assert (steps.status.state, steps.status.error, steps.chip.open) == (SensorState.SAMPLING, None, 1)
    assert steps.status.last_error is not None
    steps.chip.answers = [failure(19)]  # ENODEV
    assert steps.turn() == 1000.0


def test_opening_alone_does_not_shorten_the_waits(steps: Steps) -> None:
    """A sensor that can be opened and then says nothing is as good as absent."""
    waits = []
    for _ in range(3):
        steps.turn()
        steps.chip.answers = [failure(19)]
        waits.append(steps.turn())
    assert waits == [1000.0, 2000.0, 4000.0]


def test_two_seconds_without_a_sample_are_a_failure(steps: Steps) -> None:
    steps.turn()
    steps.chip.answers = [0] * 1000
    while steps.status.state is SensorState.SAMPLING:
        steps.turn()
    assert 2000 * MS < steps.clock.monotonic_ns() <= 2040 * MS
    assert steps.status.error == (
        "adxl345 on sim:bus at 0x53: no samples for 2 s though it answers; power-cycle it"
    )


def test_a_failure_marks_a_gap_where_the_samples_go_on(steps: Steps) -> None:
    steps.turn()
    steps.turn()
    steps.chip.answers = [SensorError("configuration lost")]
    for _ in range(3):
        steps.turn()
    assert steps.ring.total == 32
    (gap,) = steps.ring.gaps(0, 100)
    assert (gap.at, gap.lost) == (16, None)


def test_one_reason_is_logged_once(steps: Steps, caplog: pytest.LogCaptureFixture) -> None:
    steps.chip.starts = [*[SensorError("not found")] * 3, SensorError("wrong chip")]
    for _ in range(4):
        steps.turn()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["sensor press: not found", "sensor press: wrong chip"]


def test_closing_twice_lets_go_once(steps: Steps) -> None:
    steps.turn()
    steps.sampler.close()
    steps.sampler.close()
    assert steps.chip.open == 0
