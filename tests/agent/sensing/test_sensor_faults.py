"""The table of docs/faults.md, row by row: a fault in the configuration, and what judder does about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.config.alarm import AlarmPolicy
from agent.config.sensor import Sensor
from agent.inference.detector import open_detector
from agent.inference.scoring import Level
from agent.judging.alarm import Alarm
from agent.judging.alert import AlertEvent, Change, Subject
from agent.judging.monitor import Monitor, MonitorStatus
from agent.judging.sensor_watch import SensorWatch
from agent.sensing.bus_sampler import BusSampler
from agent.sensing.opening import sensor_opener
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from agent.sensing.sampler import Sampler, SamplerStatus, SensorState
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from firmware_bridge.bus.fault_plan import Fault, FaultKind, FaultPlan
from firmware_bridge.bus.faulty import drawn_plan
from firmware_bridge.chips import CHIPS, offered
from firmware_bridge.clock import SimulatedClock

MakeBundle = Callable[..., Path]
DOCS = Path(__file__).parents[3] / "docs" / "faults.md"
# Two turns a window of the easy bundle, RMS 1 g on every axis: as healthy as can be.
SIGNAL = {"kind": "rotor", "harmonics_g": [[1.4142, 1.4142, 1.4142]], "load_variation": 0.0}
RATE_HZ = 800.0
FAULT_AT_S = 5.0


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    events: list[AlertEvent]
    sampler: SamplerStatus
    monitor: MonitorStatus

    def changes(self, subject: Subject) -> list[Change]:
        return [event.change for event in self.events if event.subject is subject]

    @property
    def reason(self) -> str:
        return next(event.reason for event in self.events if event.subject is Subject.SENSOR)


def watch(
    bundle: Path, plan: FaultPlan, seconds: float, chip: str = "adxl345", rate_hz: float = RATE_HZ
) -> Outcome:
    """Run a sensor with faults through driver, sampler and monitor, step by step in simulated time."""
    clock = SimulatedClock()
    detector, _ = open_detector(bundle)
    sensor = Sensor("sim:press", rate_hz, bundle, chip, range_g=8.0, signal=SIGNAL, faults=plan)
    ring = RingBuffer(1024, 3)
    watchdog = Watchdog(lambda state: None, clock)
    sampler = Sampler("press", sensor_opener(sensor, clock), ring, clock, Backoff("press", 0.5, 30.0))
    thread = BusSampler("sim:press", [sampler], clock, watchdog)
    events: list[AlertEvent] = []
    monitor = Monitor(
        "press",
        WindowReader(ring, detector.manifest.window, (0, 1, 2)),
        detector,
        Alarm(detector.manifest, AlarmPolicy()),
        SensorWatch(detector.manifest.axes, sensor.range_g, clock, sampler.status),
        clock=clock,
        watchdog=watchdog,
        announce=events.append,
        simulated=True,
    )
    while clock.monotonic_ns() < seconds * 1e9:
        thread.turn()
        monitor.turn(0.0)
    return Outcome(events, sampler.status(), monitor.status())


SENSOR_ALERT = [Change.RAISED, Change.CLEARED]


@dataclass(frozen=True)
class Row:
    """What the table says of a fault."""

    fault: Fault
    sensor: list[Change]
    """Changes of the sensor's alert."""
    reason: str = ""
    """Part of its reason."""
    reopened: bool = True


def row(
    kind: FaultKind, duration_s: float, sensor: list[Change], reason: str = "", *, reopened: bool = True
) -> Row:
    return Row(Fault(kind, FAULT_AT_S, duration_s), sensor, reason, reopened)


NO_ANSWER = (
    r"sim:press address 0x53 register 0x[0-9a-f]{2}: no answer from this address; check wiring.* \(errno"
)
ROWS = {
    "nak, for a moment": row(FaultKind.NAK, 0.005, [], reopened=False),
    "nak": row(FaultKind.NAK, 3.0, SENSOR_ALERT, NO_ANSWER + " 121, EREMOTEIO"),
    "arbitration, for a moment": row(FaultKind.ARBITRATION, 0.005, [], reopened=False),
    "arbitration": row(FaultKind.ARBITRATION, 3.0, SENSOR_ALERT, "lost arbitration: another master"),
    "timeout, once": row(FaultKind.TIMEOUT, 0.9, [], reopened=False),
    "timeout": row(
        FaultKind.TIMEOUT, 8.0, SENSOR_ALERT, r"timed out; a chip holds .* \(errno 110, ETIMEDOUT"
    ),
    "stuck_sda": row(FaultKind.STUCK_SDA, 8.0, SENSOR_ALERT, r"data line low \(power-cycle it\)"),
    "brown_out": row(FaultKind.BROWN_OUT, 0.0, SENSOR_ALERT, r"lost its configuration .*check its supply"),
    "brown_out, long": row(FaultKind.BROWN_OUT, 2.0, SENSOR_ALERT, NO_ANSWER + " 6, ENXIO"),
    "unplugged": row(FaultKind.UNPLUGGED, 8.0, SENSOR_ALERT, NO_ANSWER + " 6, ENXIO"),
    "swapped": row(FaultKind.SWAPPED, 8.0, SENSOR_ALERT, "at 0x53: (lost its configuration|.*another chip)"),
    "frozen_axis": row(
        FaultKind.FROZEN_AXIS, 5.0, SENSOR_ALERT, "axis x gives one code only: power-cycle", reopened=False
    ),
    "saturated_axis": row(
        FaultKind.SATURATED_AXIS, 5.0, SENSOR_ALERT, r"axis x (gives one code|reaches full)", reopened=False
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_sensor_is_told_and_the_machine_is_not_blamed(name: str, make_bundle: MakeBundle) -> None:
    expected = ROWS[name]
    outcome = watch(make_bundle(), FaultPlan((expected.fault,)), 40.0)
    assert outcome.changes(Subject.SENSOR) == expected.sensor
    assert outcome.changes(Subject.MACHINE) == []
    if expected.sensor:
        assert re.search(expected.reason, outcome.reason), outcome.reason
        assert all(event.level is Level.WARNING and event.part == "sensor" for event in outcome.events)
        assert len({event.alert_id for event in outcome.events}) == 1
    assert (outcome.sampler.reopened > 0) == expected.reopened
    assert (outcome.sampler.state, outcome.sampler.error) == (SensorState.SAMPLING, None)
    assert outcome.monitor.sensor_alert_id is None


def test_a_lost_second_is_marked_as_a_gap(make_bundle: MakeBundle) -> None:
    outcome = watch(make_bundle(), FaultPlan((Fault(FaultKind.TIMEOUT, FAULT_AT_S, 0.9),)), 10.0)
    # One second without a drain, of which the FIFO keeps 33 samples.
    assert 750 <= outcome.sampler.samples_lost <= 800
    assert outcome.monitor.windows_skipped_gap > 0


@pytest.mark.parametrize("kind", [FaultKind.FROZEN_AXIS, FaultKind.SATURATED_AXIS])
def test_windows_of_a_bad_axis_are_counted_and_not_scored(kind: FaultKind, make_bundle: MakeBundle) -> None:
    plan = FaultPlan((Fault(kind, FAULT_AT_S, 5.0, axis="z"),))
    outcome = watch(make_bundle(), plan, 15.0)
    # Five seconds of windows that begin every 32 samples.
    assert outcome.monitor.windows_bad == pytest.approx(125, abs=3)
    assert outcome.monitor.windows_scored == pytest.approx(250, abs=5)


def test_a_loose_sensor_is_told_beside_what_its_rattling_looks_like(make_bundle: MakeBundle) -> None:
    plan = FaultPlan((Fault(FaultKind.LOOSE, FAULT_AT_S, 5.0),), seed=4)
    outcome = watch(make_bundle(), plan, 20.0)
    assert outcome.changes(Subject.SENSOR) == SENSOR_ALERT
    assert re.search("hangs otherwise .*tighten it", outcome.reason)


def test_flipped_bits_are_no_reason_to_stop(make_bundle: MakeBundle) -> None:
    plan = FaultPlan((Fault(FaultKind.BIT_FLIPS, FAULT_AT_S, 10.0, share=0.01),), seed=1)
    outcome = watch(make_bundle(), plan, 30.0)
    assert outcome.sampler.state is SensorState.SAMPLING
    # A flip in the sign bits is beyond full scale, one in the FIFO's count contradicts the clock.
    assert outcome.monitor.windows_bad + outcome.sampler.reopened > 0
    assert outcome.monitor.sensor_alert_id is None


@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_the_sensor_comes_back(seed: int, make_bundle: MakeBundle) -> None:
    outcome = watch(make_bundle(), drawn_plan(seed, 30.0, 6), 75.0)
    assert (outcome.sampler.state, outcome.sampler.error) == (SensorState.SAMPLING, None)
    assert outcome.monitor.sensor_alert_id is None
    changes = outcome.changes(Subject.SENSOR)
    assert changes == SENSOR_ALERT * (len(changes) // 2)


def test_the_same_seed_is_the_same_story(make_bundle: MakeBundle) -> None:
    bundle = make_bundle()
    stories = [watch(bundle, drawn_plan(11, 20.0, 5), 30.0) for _ in range(2)]
    assert stories[0].sampler == stories[1].sampler
    assert [e.reason for e in stories[0].events] == [e.reason for e in stories[1].events]


def easy_rate_hz(chip: str) -> float:
    return max(rate_hz for rate_hz in offered(chip).rates_hz if rate_hz <= 1000)


@pytest.mark.parametrize("kind", [FaultKind.BROWN_OUT, FaultKind.UNPLUGGED, FaultKind.SWAPPED, FaultKind.NAK])
@pytest.mark.parametrize("chip", CHIPS)
def test_every_chip_comes_back(chip: str, kind: FaultKind, make_bundle: MakeBundle) -> None:
    plan = FaultPlan((Fault(kind, FAULT_AT_S, 2.0),))
    outcome = watch(make_bundle(), plan, 20.0, chip, easy_rate_hz(chip))
    assert outcome.changes(Subject.SENSOR) == SENSOR_ALERT
    assert (outcome.sampler.state, outcome.sampler.error) == (SensorState.SAMPLING, None)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_dip_of_the_supply_that_no_transfer_meets_is_noticed(chip: str, make_bundle: MakeBundle) -> None:
    plan = FaultPlan((Fault(FaultKind.BROWN_OUT, FAULT_AT_S, 0.0),))
    outcome = watch(make_bundle(), plan, 15.0, chip, easy_rate_hz(chip))
    assert outcome.changes(Subject.SENSOR) == SENSOR_ALERT
    assert "lost its configuration" in outcome.reason


def test_every_fault_has_its_row_in_the_document() -> None:
    text = DOCS.read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z_]+)`", text, flags=re.MULTILINE))
    assert told == {str(kind) for kind in FaultKind}
