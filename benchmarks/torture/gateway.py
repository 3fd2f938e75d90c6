"""The gateway under test: the real store and forwarder, raising alerts as fast as it may; to be killed."""

from __future__ import annotations

import logging
import os
import time
from ctypes import c_double
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

from agent.config.names import GatewayName
from agent.config.storage import HistoryLimits, OutboxLimits
from agent.config.uplink import BrokerSettings
from agent.errors import StoreError
from agent.inference.scoring import Level
from agent.judging.alert import AlertEvent, Change
from agent.judging.summary import ScoreSummary
from agent.storage.alerts import AlertStore
from agent.system.backoff import Backoff
from agent.system.uuid7 import uuid7
from agent.system.watchdog import Watchdog
from agent.uplink.forwarder import Forwarder
from agent.uplink.json_dialect import JsonDialect
from agent.uplink.messages import alert_message, score_message
from agent.uplink.mqtt import MqttUplink
from firmware_bridge.clock import SystemClock

SENSORS = ("press", "pump", "fan")
PAUSE_S = 0.004
"""Between two alerts."""


@dataclass(frozen=True)
class Settings:
    """What the gateway is started with."""

    database: Path
    raised: Path
    """Where it notes each event, ``EVENT_ID SENSOR``, once the event is stored."""
    port: int
    password_file: Path


class SteppedClock(SystemClock):
    """The system's clock, whose UTC somebody sets forward and back."""

    def __init__(self, offset_s: c_double) -> None:
        self._offset_s = offset_s

    def utc(self) -> datetime:
        """Return the wall-clock time as it was set."""
        return super().utc() + timedelta(seconds=self._offset_s.value)


def run(settings: Settings, offset_s: c_double, raising: bool) -> None:
    """Raise alerts and forward them, until killed.

    Args:
        settings: Where everything is.
        offset_s: What is wrong with the wall clock.
        raising: False: only forward what waits.
    """
    logging.disable()
    clock = SteppedClock(offset_s)
    limits, history = OutboxLimits(messages=3000), HistoryLimits(cleared_alerts=50)
    store = AlertStore.open(settings.database, clock.utc(), limits, history)
    broker = BrokerSettings(
        "127.0.0.1",
        client_id="gateway",
        port=settings.port,
        username="gateway",
        password_file=settings.password_file,
    )
    dialect = JsonDialect(GatewayName("plant", "gateway"), clock, version="0", simulated=True)
    uplink = MqttUplink(broker, dialect, clock)
    watchdog = Watchdog(lambda state: None, clock)
    Forwarder(store.outbox, uplink, clock, watchdog, Backoff(str(os.getpid()), 0.01, 0.05)).start()
    if raising:
        _raise_alerts(store, clock, settings.raised)
    Event().wait()


def _raise_alerts(store: AlertStore, clock: SteppedClock, raised: Path) -> None:
    number = 0
    log = os.open(raised, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        sensor = SENSORS[number % len(SENSORS)]
        alert_id = str(uuid7(clock.utc()))
        for change in (Change.RAISED, Change.CLEARED):
            event = _event(alert_id, sensor, change, clock.utc())
            _record(store, event)
            os.write(log, f"{event.event_id} {sensor}\n".encode())
        if number % 5 == 0:
            _put_score(store, sensor, clock.utc())
        number += 1
        time.sleep(PAUSE_S)


def _event(alert_id: str, sensor: str, change: Change, at: datetime) -> AlertEvent:
    return AlertEvent(
        event_id=str(uuid7(at)),
        alert_id=alert_id,
        sensor=sensor,
        change=change,
        level=Level.ALARM,
        at=at,
        score=9.0,
        threshold=6.0,
        part="level",
        statistics=(),
        contributions=(),
        model="press-1",
        simulated=True,
    )


def _record(store: AlertStore, event: AlertEvent) -> None:
    """Store an event, as often as it takes: so does ``agent.judging.monitor``."""
    message = alert_message(event, GatewayName("plant", "gateway"))
    while True:
        try:
            store.record(event, message)
        except StoreError:
            time.sleep(0.005)
        else:
            return


def _put_score(store: AlertStore, sensor: str, at: datetime) -> None:
    summary = ScoreSummary(sensor, at, at, 1, 1.0, 1.0, Level.NORMAL, simulated=True)
    try:
        store.outbox.put(score_message(summary, GatewayName("plant", "gateway")))
    except StoreError:
        return  # telemetry may be lost
