"""The composition root: a configuration becomes parts, parts become threads. Nothing else builds parts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from threading import Event
from typing import Any

from agent import watchdog as systemd
from agent.alarm import Alarm
from agent.alert import AlertEvent
from agent.backoff import Backoff
from agent.config import Config, Sensor
from agent.control import ControlServer, Handler
from agent.errors import ConfigError, ControlError
from agent.inference.detector import Detector, open_detector
from agent.inference.scoring import Level
from agent.messages import alert_message, format_utc
from agent.monitor import Monitor
from agent.ring_buffer import RingBuffer, WindowReader
from agent.sampler import BACKOFF_FIRST_S, BACKOFF_LONGEST_S, Sampler
from agent.sensors import Opener, sensor_opener
from agent.station import Station
from agent.status import gateway_status, version
from agent.store import AlertStore
from agent.telemetry import Telemetry
from agent.uplink import Forwarder
from agent.watchdog import Watchdog, sd_notify
from firmware_bridge.clock import Clock, SystemClock
from firmware_bridge.errors import BridgeError

logger = logging.getLogger(__name__)

SENSOR_AXES = ("x", "y", "z")
RATE_TOLERANCE = 0.05
"""A chip's own clock is a few percent off its nominal rate, and so is a recording made with one."""
RING_WINDOWS = 8
"""Windows that the ring buffer holds: how long the detector may be late without a loss."""
POLL_S = 0.5
STOP_TIMEOUT_S = 0.8
"""A thread that does not end within this is left behind: the daemon stops in under two seconds."""

Listener = Callable[[AlertEvent], None]


@dataclass(frozen=True)
class _Parts:
    """What runs."""

    stations: list[Station]
    forwarder: Forwarder | None
    watchdog: Watchdog
    telemetry: Telemetry | None
    control: ControlServer


def run(config: Config, stop: Event, *, clock: Clock | None = None, listener: Listener | None = None) -> None:
    """Run the daemon until ``stop`` is set.

    Args:
        config: What to run.
        stop: Ends the daemon.
        clock: The system's, if None.
        listener: Told of every alert event once it is stored.

    Raises:
        ConfigError: If a sensor cannot be as configured, or its bundle is made for another.
        BundleError: If a bundle is not to be trusted on this machine.
        StoreError: If the alert store cannot be opened.
        ControlError: If another daemon has the control socket.
    """
    clock = clock or SystemClock()
    with ExitStack() as stack:
        parts = _build(config, clock, listener or (lambda event: None), stack)
        _start(parts, stack)
        sd_notify(systemd.READY)
        logger.info("judder %s watches %s", version(), ", ".join(config.sensors))
        interval_s = min(systemd.watchdog_interval_s() or POLL_S, POLL_S)
        while not clock.wait(interval_s, stop):
            parts.watchdog.poll()
            if parts.telemetry is not None:
                parts.telemetry.poll()
        sd_notify(systemd.STOPPING)
        logger.info("stopping")


def check(config: Config) -> None:
    """Refuse a configuration whose sensors and bundles cannot work together; opens no bus.

    Raises:
        ConfigError: If a sensor cannot be as configured, or its bundle is made for another.
        BundleError: If a bundle is not to be trusted on this machine.
    """
    for name, sensor in config.sensors.items():
        _opener(name, sensor, SystemClock())
        _detector(config, name, sensor)


def _build(config: Config, clock: Clock, listener: Listener, stack: ExitStack) -> _Parts:
    detectors = {name: _detector(config, name, sensor) for name, sensor in config.sensors.items()}
    openers = {name: _opener(name, sensor, clock) for name, sensor in config.sensors.items()}
    _make_folders(config)
    store = stack.enter_context(AlertStore.open(config.database, clock.utc()))
    watchdog = Watchdog(sd_notify, clock)
    announce = partial(_announce, config, store, listener)
    stations = [
        _station(name, sensor, openers[name], detectors[name], store, clock, watchdog, announce)
        for name, sensor in config.sensors.items()
    ]
    forwarder = _forwarder(config, store, clock, watchdog)
    telemetry = (
        Telemetry(config.telemetry, config.gateway, stations, store.outbox, clock) if forwarder else None
    )
    control = ControlServer(config.control_socket, _handlers(config, stations, store, forwarder, clock))
    return _Parts(stations, forwarder, watchdog, telemetry, control)


def _start(parts: _Parts, stack: ExitStack) -> None:
    """Start the threads; what is pushed last stops first: sampling, then judging, then sending."""
    stack.enter_context(parts.control)
    if parts.forwarder is not None:
        stack.callback(parts.forwarder.stop, STOP_TIMEOUT_S)
        parts.forwarder.start()
    for station in parts.stations:
        stack.callback(station.stop, STOP_TIMEOUT_S)
        station.start()


def _detector(config: Config, name: str, sensor: Sensor) -> Detector:
    detector, _ = open_detector(sensor.bundle, config.trusted_keys)
    rate_hz = detector.manifest.rate_hz
    if rate_hz is None or abs(rate_hz - sensor.rate_hz) > RATE_TOLERANCE * sensor.rate_hz:
        trained = f"at {rate_hz:g} Hz" if rate_hz else "without saying its sample rate"
        problem = f"sensors.{name}.rate_hz = {sensor.rate_hz:g}: {sensor.bundle.name} was trained {trained}"
        raise ConfigError(None, [problem])
    return detector


def _columns(name: str, detector: Detector) -> tuple[int, ...]:
    """Return which of the sensor's axes the bundle takes: all three in order, or those that it names."""
    axes = detector.manifest.axes
    if len(axes) == len(SENSOR_AXES):
        return (0, 1, 2)
    if not set(axes) <= set(SENSOR_AXES):
        problem = f"sensors.{name}.bundle: it takes the axes {', '.join(axes)}; a sensor has x, y and z"
        raise ConfigError(None, [problem])
    return tuple(SENSOR_AXES.index(axis) for axis in axes)


def _opener(name: str, sensor: Sensor, clock: Clock) -> Opener:
    try:
        return sensor_opener(sensor, clock)
    except BridgeError as error:
        raise ConfigError(None, [f"sensors.{name}: {error}"]) from error


def _make_folders(config: Config) -> None:
    for key, folder in (("state_dir", config.state_dir), ("runtime_dir", config.runtime_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(None, [f"{key} = {folder}: cannot be made: {error.strerror}"]) from error


def _station(
    name: str,
    sensor: Sensor,
    opener: Opener,
    detector: Detector,
    store: AlertStore,
    clock: Clock,
    watchdog: Watchdog,
    announce: Listener,
) -> Station:
    spec = detector.manifest.window
    ring = RingBuffer(RING_WINDOWS * spec.length, len(SENSOR_AXES))
    open_alert = store.open_alert(name)
    level = open_alert.level if open_alert else Level.NORMAL
    monitor = Monitor(
        name,
        WindowReader(ring, spec, _columns(name, detector)),
        detector,
        Alarm(detector.manifest.thresholds, sensor.alarm, level),
        clock=clock,
        watchdog=watchdog,
        announce=announce,
        simulated=sensor.simulated,
        alert_id=open_alert.alert_id if open_alert else None,
    )
    backoff = Backoff(name, BACKOFF_FIRST_S, BACKOFF_LONGEST_S)
    sampler = Sampler(name, opener, ring, clock, watchdog, backoff)
    return Station(name, detector.manifest.title, sensor.simulated, sampler, ring, monitor)


def _announce(config: Config, store: AlertStore, listener: Listener, event: AlertEvent) -> None:
    """Store the event with its message, then tell it."""
    store.record(event, alert_message(event, config.gateway) if config.uplink else None)
    text = "sensor %s: %s %s, score %.2f (threshold %.2f), part %s, alert %s"
    logger.warning(
        text,
        event.sensor,
        event.level,
        event.change,
        event.score,
        event.threshold,
        event.part,
        event.alert_id,
    )
    listener(event)


def _forwarder(config: Config, store: AlertStore, clock: Clock, watchdog: Watchdog) -> Forwarder | None:
    if config.uplink is None:
        return None
    from agent.mqtt import MqttUplink  # 5 MB that a gateway without an uplink need not carry

    gateway = config.gateway
    client_id = config.uplink.client_id or f"judder-{gateway.site}-{gateway.name}"
    simulated = any(sensor.simulated for sensor in config.sensors.values())
    settings = replace(config.uplink, client_id=client_id)
    uplink = MqttUplink(settings, gateway, clock, version=version(), simulated=simulated)
    return Forwarder(store.outbox, uplink, clock, watchdog, Backoff(client_id))


def _handlers(
    config: Config, stations: list[Station], store: AlertStore, forwarder: Forwarder | None, clock: Clock
) -> dict[str, Handler]:
    started = clock.utc()

    def status(arguments: Mapping[str, Any]) -> dict[str, Any]:
        uplink = forwarder.status if forwarder else None
        now = clock.utc()
        return gateway_status(config.gateway, stations, store.outbox, uplink, started=started, now=now)

    def acknowledge(arguments: Mapping[str, Any]) -> dict[str, Any]:
        alert_id, by = arguments.get("alert_id"), arguments.get("by")
        if not isinstance(alert_id, str) or not isinstance(by, str):
            raise ControlError("acknowledge needs 'alert_id' and 'by'")
        record = store.acknowledge(alert_id, by, clock.utc())
        return {"alert_id": record.alert_id, "acknowledged_at": format_utc(clock.utc())}

    return {"status": status, "acknowledge": acknowledge}
