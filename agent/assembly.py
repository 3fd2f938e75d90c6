"""From a configuration to the parts that it describes, not started yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from agent.config.file import Config
from agent.config.sensor import Regimes, Sensor
from agent.config.uplink import SparkplugSettings
from agent.control.commands import Commands
from agent.errors import ConfigError
from agent.inference.detector import Detector, open_detector
from agent.judging.alarm import Alarm, Transition
from agent.judging.alert import AlertEvent, Rule, Subject
from agent.judging.ensemble import Judge, joined
from agent.judging.monitor import Monitor
from agent.judging.regime import SEARCH_BINS, Band, RegimeJudge, SpeedRegime, ToldRegime
from agent.judging.sensor_watch import SensorWatch
from agent.reporting.status import version
from agent.sensing import bus_budget
from agent.sensing.bus_sampler import BusSampler
from agent.sensing.opening import Opener, sensor_opener
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from agent.sensing.sampler import BACKOFF_FIRST_S, BACKOFF_LONGEST_S, Sampler
from agent.station import Station
from agent.storage.alerts import AlertRecord, AlertStore
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from agent.uplink.dialect import Dialect
from agent.uplink.forwarder import Forwarder
from agent.uplink.json_dialect import JsonDialect
from agent.waveforms.around_alert import Evidence
from firmware_bridge.clock import Clock, SystemClock
from firmware_bridge.errors import BridgeError

SENSOR_AXES = ("x", "y", "z")
RATE_TOLERANCE = 0.05
"""A chip's own clock is a few percent off its nominal rate, and so is a recording made with one."""
RING_WINDOWS = 8
"""Windows that the ring buffer holds: how long the detector may be late without a loss."""

RECONNECT_LONGEST = 8.0
"""The longest wait for the broker, in first waits."""
RECONNECT_JITTER = 0.95

Announce = Callable[[AlertEvent], None]


@dataclass(frozen=True)
class Surroundings:
    """What all stations share."""

    store: AlertStore
    clock: Clock
    watchdog: Watchdog
    announce: Announce
    """Stores an alert event and tells it."""
    evidence: Evidence
    """Keeps the waveform around an alert."""


def check(config: Config) -> None:
    """Refuse a configuration whose sensors and bundles cannot work together; opens no bus.

    Raises:
        ConfigError: If a sensor cannot be as configured, its bundle is made for another, or a library that
            the configuration needs is missing.
        BundleError: If a bundle is not to be trusted on this machine.
    """
    for name, sensor in config.sensors.items():
        opener(name, sensor, SystemClock())
        judge(config, name, sensor)
    check_buses(config)
    if config.uplink is not None and config.uplink.sparkplug is not None:
        _check_protobuf()


def check_buses(config: Config) -> None:
    """Refuse sensors that their bus cannot carry; opens no bus.

    Raises:
        ConfigError: With the arithmetic.
    """
    try:
        problems = bus_budget.problems(config.sensors)
    except BridgeError as error:
        raise ConfigError(None, [str(error)]) from error
    if problems:
        raise ConfigError(None, problems)


def judge(config: Config, name: str, sensor: Sensor) -> Judge:
    """Return what judges a sensor's windows: the detector of its bundle, an ensemble, or models by regime.

    Raises:
        ConfigError: If a bundle is made for another rate, other axes or other windows.
        BundleError: If a bundle is not to be trusted on this machine.
    """
    detectors = [open_detector(bundle, config.trusted_keys)[0] for bundle in sensor.bundles]
    for path, detector in zip(sensor.bundles, detectors, strict=True):
        _check_rate(name, sensor, path.name, detector)
    try:
        if sensor.regimes is not None:
            return _by_regime(sensor.regimes, sensor.rate_hz, detectors)
        return joined(detectors, sensor.ensemble.combine) if sensor.ensemble else detectors[0]
    except ValueError as error:
        table = "regimes" if sensor.regimes else "ensemble"
        raise ConfigError(None, [f"sensors.{name}.{table}: {error}"]) from error


def _by_regime(regimes: Regimes, rate_hz: float, detectors: Sequence[Detector]) -> RegimeJudge:
    """Return models by regime; refuse bands of speed that a window does not tell apart."""
    members = dict(zip(regimes.models, detectors, strict=True))
    if regimes.search_hz is None:
        return RegimeJudge(members, ToldRegime(None))
    bands = {name: Band(*model.speed_hz) for name, model in regimes.models.items() if model.speed_hz}
    resolution_hz = rate_hz / detectors[0].manifest.window.length
    search = Band(*regimes.search_hz)
    if search.high_hz - search.low_hz < SEARCH_BINS * resolution_hz:
        raise ValueError(f"search_hz must be {SEARCH_BINS * resolution_hz:.3g} Hz wide for these windows")
    for name, band in bands.items():
        if band.high_hz - band.low_hz < resolution_hz:
            told = f"is narrower than what a window tells apart ({resolution_hz:.3g} Hz)"
            raise ValueError(f"models.{name}.speed_hz {told}")
    return RegimeJudge(members, SpeedRegime(rate_hz, search, bands))


def _check_rate(name: str, sensor: Sensor, bundle: str, detector: Detector) -> None:
    rate_hz = detector.manifest.rate_hz
    if rate_hz is None or abs(rate_hz - sensor.rate_hz) > RATE_TOLERANCE * sensor.rate_hz:
        trained = f"at {rate_hz:g} Hz" if rate_hz else "without saying its sample rate"
        problem = f"sensors.{name}.rate_hz = {sensor.rate_hz:g}: {bundle} was trained {trained}"
        raise ConfigError(None, [problem])


def opener(name: str, sensor: Sensor, clock: Clock) -> Opener:
    """Return what opens a sensor.

    Raises:
        ConfigError: If it cannot be as configured.
    """
    try:
        return sensor_opener(sensor, clock)
    except BridgeError as error:
        raise ConfigError(None, [f"sensors.{name}: {error}"]) from error


def stations(config: Config, shared: Surroundings, judges: dict[str, Judge]) -> list[Station]:
    """Return a station for each sensor.

    Args:
        config: What is configured.
        shared: What they share.
        judges: See ``judge``, by name of the sensor.

    Raises:
        ConfigError: If a sensor cannot be as configured.
        StoreError: If the alerts that were open cannot be read.
    """
    openers = {name: opener(name, sensor, shared.clock) for name, sensor in config.sensors.items()}
    check_buses(config)
    return [
        _station(name, sensor, openers[name], judges[name], shared) for name, sensor in config.sensors.items()
    ]


def _station(name: str, sensor: Sensor, opener: Opener, judge: Judge, shared: Surroundings) -> Station:
    manifest, store, clock = judge.manifest, shared.store, shared.clock
    samples = max(RING_WINDOWS * manifest.window.length, shared.evidence.samples(sensor.rate_hz))
    ring = RingBuffer(samples, len(SENSOR_AXES))
    open_alert, sensor_alert = store.open_alert(name), store.open_alert(name, Subject.SENSOR)
    override = store.overrides.of(name)
    thresholds = override.thresholds if override else None
    sampler = Sampler(name, opener, ring, clock, Backoff(name, BACKOFF_FIRST_S, BACKOFF_LONGEST_S))
    shared.evidence.watch(name, ring, sampler.status)
    reason = sensor_alert.last_event.reason if sensor_alert else None
    regimes = judge if isinstance(judge, RegimeJudge) else None
    if regimes is not None and regimes.told is not None:
        told = store.regimes.of(name)
        regimes.told.name = told if told in regimes.regimes else None
    monitor = Monitor(
        name,
        WindowReader(ring, manifest.window, _columns(name, manifest.axes)),
        judge,
        Alarm(manifest, sensor.alarm, thresholds, _last_step(open_alert) if open_alert else None),
        SensorWatch(manifest.axes, sensor.range_g, clock, sampler.status, reason=reason),
        clock=clock,
        watchdog=shared.watchdog,
        announce=shared.announce,
        simulated=sensor.simulated,
        regimes=regimes,
        alert_id=open_alert.alert_id if open_alert else None,
        sensor_alert_id=sensor_alert.alert_id if sensor_alert else None,
    )
    return Station(
        name, manifest.title, manifest.thresholds, sensor.simulated, sampler, ring, monitor, regimes
    )


def _last_step(open_alert: AlertRecord) -> Transition:
    """Return what gave an open alert its level."""
    event = open_alert.last_event
    return Transition(event.change, open_alert.level, event.rule or Rule.K_OF_N, event.windows)


def _columns(name: str, axes: Sequence[str]) -> tuple[int, ...]:
    """Return which of the sensor's axes the bundle takes: all three in order, or those that it names."""
    if len(axes) == len(SENSOR_AXES):
        return (0, 1, 2)
    if not set(axes) <= set(SENSOR_AXES):
        problem = f"sensors.{name}.bundle: it takes the axes {', '.join(axes)}; a sensor has x, y and z"
        raise ConfigError(None, [problem])
    return tuple(SENSOR_AXES.index(axis) for axis in axes)


def bus_samplers(
    config: Config, stations: Sequence[Station], clock: Clock, watchdog: Watchdog
) -> list[BusSampler]:
    """Return a sampler thread for each bus."""
    by_bus: dict[str, list[Sampler]] = {}
    for station in stations:
        by_bus.setdefault(config.sensors[station.name].bus, []).append(station.sampler)
    return [BusSampler(bus, samplers, clock, watchdog) for bus, samplers in by_bus.items()]


def forwarder(
    config: Config, store: AlertStore, clock: Clock, watchdog: Watchdog, commands: Commands
) -> Forwarder | None:
    """Return the forwarder with its connection to the broker, or None without an uplink.

    Args:
        config: What is configured.
        store: Holds the outbox.
        clock: For waits and UTC.
        watchdog: Hears from the thread.
        commands: Answers commands, if the uplink is configured to take them.

    Raises:
        ConfigError: If a library that the configuration needs is missing.
    """
    if config.uplink is None:
        return None
    from agent.uplink.mqtt import MqttUplink  # 5 MB that a gateway without an uplink need not carry

    gateway = config.gateway
    client_id = config.uplink.client_id or f"judder-{gateway.site}-{gateway.name}"
    settings = replace(config.uplink, client_id=client_id)
    dialect = _sparkplug(config, config.uplink.sparkplug, store, clock) or _plain(config, commands, clock)
    uplink = MqttUplink(settings, dialect, clock, store.outbox.waiting.set)
    first_s = config.uplink.reconnect_s
    backoff = Backoff(client_id, first_s, RECONNECT_LONGEST * first_s, RECONNECT_JITTER)
    return Forwarder(store.outbox, uplink, clock, watchdog, backoff, config.uplink.inflight)


def _plain(config: Config, commands: Commands, clock: Clock) -> Dialect:
    assert config.uplink is not None
    return JsonDialect(
        config.gateway,
        clock,
        version=version(),
        simulated=_simulated(config),
        announcements=_announcements(config),
        answer=commands.answer if config.uplink.commands else None,
    )


def _sparkplug(
    config: Config, settings: SparkplugSettings | None, store: AlertStore, clock: Clock
) -> Dialect | None:
    if settings is None:
        return None
    _check_protobuf()
    from agent.uplink.sparkplug_births import Births
    from agent.uplink.sparkplug_dialect import SparkplugDialect

    return SparkplugDialect(
        settings.group or config.gateway.site,
        config.gateway.name,
        list(config.sensors),
        clock,
        Births(store.database).next,
        version=version(),
        simulated=_simulated(config),
    )


def _check_protobuf() -> None:
    """Refuse to speak Sparkplug without the library that it takes.

    Raises:
        ConfigError: With the way to install it.
    """
    try:
        import agent.uplink.sparkplug_payload  # noqa: F401 - only to see whether it can be imported
    except ImportError as error:
        problem = f"uplink.sparkplug: {error}; install it: pip install 'judder[sparkplug]'"
        raise ConfigError(None, [problem]) from error


def _simulated(config: Config) -> bool:
    return any(sensor.simulated for sensor in config.sensors.values())


def _announcements(config: Config) -> dict[str, bytes]:
    assert config.uplink is not None
    if not config.uplink.home_assistant:
        return {}
    from agent.uplink.home_assistant import discovery

    tell = partial(discovery, config.gateway, version=version())
    return {topic: payload for name in config.sensors for topic, payload in tell(name).items()}
