"""The detector thread: windows to verdicts, verdicts to a level, changes of level to alert events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from threading import Event, Lock, Thread

import numpy as np

from agent.config.alarm import AlarmPolicy
from agent.errors import WindowError
from agent.inference.detector import Verdict
from agent.inference.scoring import Level, Thresholds
from agent.judging.alarm import Alarm, Transition
from agent.judging.alert import AlertEvent, Change
from agent.judging.judges import Judge
from agent.judging.pending import PendingEvents
from agent.judging.regime import RegimeJudge
from agent.judging.score_history import ScoreHistory, ScoreSample
from agent.judging.sensor_watch import SensorChange, SensorWatch
from agent.judging.summary import ScoreSummary
from agent.sensing.ring_buffer import Window, WindowReader
from agent.system.uuid7 import uuid7
from agent.system.watchdog import Watchdog
from firmware_bridge.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)

READ_TIMEOUT_S = 0.5
CHECK_IN_LIMIT_S = 10.0
"""The detector is stuck if it does not check in for longer."""


@dataclass(frozen=True, kw_only=True)
class MonitorStatus:
    """A snapshot for status and health."""

    level: Level
    unwatched_since: datetime | None
    """UTC time since when the sensor delivers nothing that could be judged; None while it does."""
    evidence: float | None
    """Evidence over windows, as a part of what raises a warning; None if that rule is off."""
    alert_id: str | None
    """The open alert of the machine, if any."""
    sensor_alert_id: str | None
    """The open alert of the sensor itself, if any."""
    thresholds: Thresholds
    """In force now."""
    score: float | None
    """Score of the last window; None before the first, and when nothing comes that could be judged."""
    scored_at: datetime | None
    """UTC time of that window's last sample."""
    delay_s: float | None
    """From that sample to the window's verdict; None without one."""
    windows_scored: int
    windows_skipped_gap: int
    windows_skipped_late: int
    waiting: int
    """Alert events in memory that the disk does not take."""
    windows_bad: int
    """Windows with a sample or a score that is not finite, a stuck axis or samples at full scale; never taken
    for healthy."""
    windows_outside: int
    """Windows outside all regimes, or in a transition."""
    regime: str | None
    """Whose model judges now; None outside all, and without regimes."""


@dataclass(frozen=True)
class Rules:
    """What makes a level of scores."""

    thresholds: Thresholds
    policy: AlarmPolicy


class Monitor:
    """Judges one sensor's windows as they come."""

    def __init__(
        self,
        name: str,
        reader: WindowReader,
        detector: Judge,
        alarm: Alarm,
        watch: SensorWatch,
        *,
        clock: Clock,
        watchdog: Watchdog,
        announce: Callable[[AlertEvent], None],
        simulated: bool,
        regimes: RegimeJudge | None = None,
        alert_id: str | None = None,
        sensor_alert_id: str | None = None,
    ) -> None:
        """Prepare; the thread begins with ``start``.

        Args:
            name: Name of the sensor in the configuration.
            reader: Where windows come from.
            detector: Judges them; used by this thread only from now on.
            alarm: Makes levels of scores.
            watch: Tells which windows can be trusted, and makes the sensor's own alert.
            clock: For the UTC time of a window.
            watchdog: Told of every turn of the loop.
            announce: Stores an event; may raise ``StoreError``, then it is called again later.
            simulated: True if the samples come from a simulated sensor.
            regimes: The detector, if it has several models: told of each window before it judges.
            alert_id: The machine's alert that was open when the daemon stopped.
            sensor_alert_id: The same of the sensor itself.
        """
        self._name = name
        self._reader = reader
        self._detector = detector
        self._alarm = alarm
        self._watch = watch
        self._clock = clock
        self._watchdog = watchdog
        self._pending = PendingEvents(name, announce)
        self._simulated = simulated
        self._regimes = regimes
        self._alert_id = alert_id
        self._sensor_alert_id = sensor_alert_id
        self._adjusting = Lock()
        self._wanted = self._in_force = Rules(alarm.thresholds, alarm.policy)
        self._scores = ScoreHistory()
        self._delay_s: float | None = None
        self._bad = self._outside = 0
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"detector-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._watchdog.register(self._thread.name, CHECK_IN_LIMIT_S)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Ask the thread to end; return True if it did within ``timeout_s`` seconds."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> MonitorStatus:
        """Return a snapshot."""
        blind_since_ns = self._watch.blind_since_ns()
        scored_at, score = (blind_since_ns is None and self._scores.last) or (None, None)
        return MonitorStatus(
            level=self._alarm.level,
            unwatched_since=None if blind_since_ns is None else self._utc_of(blind_since_ns),
            evidence=self._alarm.evidence,
            alert_id=self._alert_id,
            sensor_alert_id=self._sensor_alert_id,
            thresholds=self._alarm.thresholds,
            score=score,
            scored_at=scored_at,
            delay_s=self._delay_s if scored_at is not None else None,
            windows_scored=self._scores.count,
            windows_skipped_gap=self._reader.skipped_gap,
            windows_skipped_late=self._reader.skipped_late,
            waiting=len(self._pending),
            windows_bad=self._bad,
            windows_outside=self._outside,
            regime=self._regimes.current if self._regimes is not None else None,
        )

    def scores(self) -> ScoreSample:
        """Return the newest scores, and the sum of all since the daemon started."""
        return self._scores.sample()

    def adjust(self, thresholds: Thresholds | None, policy: AlarmPolicy) -> None:
        """Change what makes a level, from the next window on. May be called from any thread.

        Args:
            thresholds: None: those that were wanted last, in force or not yet.
            policy: The rules.
        """
        with self._adjusting:
            self._wanted = Rules(thresholds or self._wanted.thresholds, policy)

    def take_summary(self) -> ScoreSummary | None:
        """Return the summary of the scores since the last call, or None if there were none."""
        recent = self._scores.take()
        if not recent:
            return None
        scores = [scored.score for scored in recent]
        return ScoreSummary(
            sensor=self._name,
            start=recent[0].at,
            end=recent[-1].at,
            windows=len(scores),
            score_max=max(scores),
            score_median=median(scores),
            level=self._alarm.level,
            simulated=self._simulated,
        )

    def turn(self, timeout_s: float) -> None:
        """Judge the next window, if one comes within so many seconds, and tell what has changed."""
        window = self._reader.read(timeout_s)
        wanted = self._wanted  # once: another thread may change it meanwhile
        if wanted is not self._in_force:
            self._alarm.adjust(wanted.thresholds, wanted.policy)
            self._in_force = wanted
        if window is not None:
            self._take(window)
        if self._watch.blind_since_ns() is not None:
            self._scores.outdate()
        sensor_change = self._watch.poll()
        if sensor_change is not None:
            self._pending.add(self._sensor_event(sensor_change))
        self._pending.announce()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.turn(READ_TIMEOUT_S)
            self._watchdog.check_in(self._thread.name)

    def _take(self, window: Window) -> None:
        if not self._watch.admits(window.samples):
            self._bad += 1
            return
        if self._regimes is not None and not self._regimes.admits(window.samples):
            self._outside += 1
            return
        try:
            verdict = self._detector.judge(window.samples[np.newaxis])[0]
        except WindowError as error:
            self._bad += 1
            if self._bad == 1:
                logger.warning("sensor %s: window not scored, and more may follow: %s", self._name, error)
            return
        at = self._utc_of(window.end_ns)
        self._delay_s = (self._clock.monotonic_ns() - window.end_ns) / NS_PER_S
        self._scores.add(at, verdict.score)
        transition = self._alarm.update(verdict.score)
        if transition is not None:
            self._pending.add(self._event(transition, verdict, window, at))

    def _utc_of(self, monotonic_ns: int) -> datetime:
        age_us = (self._clock.monotonic_ns() - monotonic_ns) / 1000
        return self._clock.utc() - timedelta(microseconds=age_us)

    def _event(self, transition: Transition, verdict: Verdict, window: Window, at: datetime) -> AlertEvent:
        alert_id = self._alert_id or str(uuid7(at))
        self._alert_id = None if transition.change is Change.CLEARED else alert_id
        manifest = self._detector.manifest
        explanation = self._detector.explain(window.samples, verdict.part)
        return AlertEvent(
            event_id=str(uuid7(at)),
            alert_id=alert_id,
            sensor=self._name,
            change=transition.change,
            level=transition.level,
            at=at,
            score=verdict.score,
            threshold=self._alarm.thresholds.of(transition.level),
            part=verdict.part,
            rule=transition.rule,
            windows=transition.windows,
            statistics=explanation.statistics,
            contributions=explanation.contributions,
            model=manifest.title,
            simulated=self._simulated,
        )

    def _sensor_event(self, sensor_change: SensorChange) -> AlertEvent:
        at = self._clock.utc()
        alert_id = self._sensor_alert_id or str(uuid7(at))
        self._sensor_alert_id = None if sensor_change.change is Change.CLEARED else alert_id
        return AlertEvent.of_sensor(
            event_id=str(uuid7(at)),
            alert_id=alert_id,
            sensor=self._name,
            change=sensor_change.change,
            at=at,
            reason=sensor_change.reason,
            model=self._detector.manifest.title,
            simulated=self._simulated,
        )
