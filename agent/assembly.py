"""From a configuration to the parts that it describes, not started yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from agent.config.file import Config
from agent.config.sensor import Sensor
from agent.config.uplink import SparkplugSettings
from agent.control.commands import Commands
from agent.errors import ConfigError
from agent.judging.alarm import Alarm, Transition
from agent.judging.alert import Rule, Subject
from agent.judging.judges import Judge
from agent.judging.monitor import Monitor
from agent.judging.opening import columns_of, open_judge
from agent.judging.regime import RegimeJudge
from agent.judging.sensor_watch import SensorWatch
from agent.reporting.status import version
from agent.sensing import bus_budget
from agent.sensing.bus_sampler import BusSampler
from agent.sensing.opening import Opener, check_bus, sensor_opener
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from agent.sensing.sampler import BACKOFF_FIRST_S, BACKOFF_LONGEST_S, Sampler
from agent.station import Station
from agent.storage.alerts import AlertRecord, AlertStore
from agent.storage.announcer import Listener
from agent.system.backoff import Backoff
from agent.system.watchdog import Watchdog
from agent.uplink.dialect import Dialect
from agent.uplink.forwarder import Forwarder
from agent.uplink.json_dialect import JsonDialect
from agent.waveforms.around_alert import AlertWaveforms
from firmware_bridge.axes import AXES
from firmware_bridge.clock import Clock
from firmware_bridge.errors import OfferError, RecordingError, SignalError

RING_WINDOWS = 8
"""Windows that the ring buffer holds: how long the detector may be late without a loss."""

RECONNECT_LONGEST = 8.0
"""The longest wait for the broker, in first waits."""
RECONNECT_JITTER = 0.95


@dataclass(frozen=True)
class Surroundings:
    """What all stations share."""

    store: AlertStore
    clock: Clock
    watchdog: Watchdog
    announce: Listener
    """Stores an alert event and tells it."""
    waveforms: AlertWaveforms
    """Keeps the waveform around an alert."""


@dataclass(frozen=True)
class Prepared:
    """What a sensor's configuration stands for."""

    opener: Opener
    """Opens it."""
    judge: Judge
    """Judges its windows."""


def prepare(config: Config, clock: Clock) -> dict[str, Prepared]:
    """Return what opens each sensor and what judges its windows; opens no bus.

    Raises:
        ConfigError: With everything that is wrong: sensors that cannot be as configured, bundles that are not
            to be trusted on this machine or are made for others, buses that are none or cannot carry their
            sensors, and libraries that are missing.
    """
    problems: list[str] = []
    openers: dict[str, Opener] = {}
    judges: dict[str, Judge] = {}
    for name, sensor in config.sensors.items():
        with _noting(problems, f"sensors.{name}"):
            check_bus(sensor)
        with _noting(problems, f"sensors.{name}"):
            openers[name] = sensor_opener(sensor, clock)
        with _noting(problems, f"sensors.{name}"):
            judges[name] = open_judge(name, sensor, config.trusted_keys)
    problems += bus_budget.problems({name: config.sensors[name] for name in openers})
    if config.uplink is not None and config.uplink.sparkplug is not None:
        with _noting(problems, "uplink.sparkplug"):
            _check_protobuf()
    if problems:
        raise ConfigError(None, problems)
    return {name: Prepared(openers[name], judges[name]) for name in config.sensors}


@contextmanager
def _noting(problems: list[str], key: str) -> Iterator[None]:
    """Note what is wrong with a table of the configuration, each with its key path, and go on."""
    try:
        yield
    except ConfigError as error:
        problems += error.problems
    except OfferError as error:
        problems += [f"{key}.{setting}: {problem}" for setting, problem in error.problems.items()]
    except (SignalError, RecordingError) as error:  # a recording is what a simulated sensor feels
        problems.append(f"{key}.signal: {error}")


def stations(config: Config, shared: Surroundings, prepared: Mapping[str, Prepared]) -> list[Station]:
    """Return a station for each sensor.

    Args:
        config: What is configured.
        shared: What they share.
        prepared: See ``prepare``.

    Raises:
        StoreError: If the alerts that were open cannot be read.
    """
    return [_station(name, sensor, prepared[name], shared) for name, sensor in config.sensors.items()]


def _station(name: str, sensor: Sensor, prepared: Prepared, shared: Surroundings) -> Station:
    judge, manifest = prepared.judge, prepared.judge.manifest
    samples = max(RING_WINDOWS * manifest.window.length, shared.waveforms.samples(sensor.rate_hz))
    ring = RingBuffer(samples, len(AXES))
    backoff = Backoff(name, BACKOFF_FIRST_S, BACKOFF_LONGEST_S)
    sampler = Sampler(name, prepared.opener, ring, shared.clock, backoff)
    shared.waveforms.watch(name, ring, sampler.status)
    regimes = judge if isinstance(judge, RegimeJudge) else None
    if regimes is not None:
        _continue_regime(name, regimes, shared.store)
    monitor = _monitor(name, sensor, judge, ring, sampler, shared)
    return Station(
        name, manifest.title, manifest.thresholds, sensor.simulated, sampler, ring, monitor, regimes
    )


def _monitor(
    name: str, sensor: Sensor, judge: Judge, ring: RingBuffer, sampler: Sampler, shared: Surroundings
) -> Monitor:
    """Return what judges the sensor's windows; it goes on with the alerts that were open."""
    manifest, store, clock = judge.manifest, shared.store, shared.clock
    open_alert, sensor_alert = store.open_alert(name), store.open_alert(name, Subject.SENSOR)
    override = store.overrides.of(name)
    thresholds = override.thresholds if override else None
    reason = sensor_alert.last_event.reason if sensor_alert else None
    columns = columns_of(manifest.axes)
    assert columns is not None  # else it were not prepared
    return Monitor(
        name,
        WindowReader(ring, manifest.window, columns),
        judge,
        Alarm(manifest, sensor.alarm, thresholds, _last_step(open_alert) if open_alert else None),
        SensorWatch(manifest.axes, sensor.range_g, clock, sampler.status, reason=reason),
        clock=clock,
        watchdog=shared.watchdog,
        announce=shared.announce,
        simulated=sensor.simulated,
        regimes=judge if isinstance(judge, RegimeJudge) else None,
        alert_id=open_alert.alert_id if open_alert else None,
        sensor_alert_id=sensor_alert.alert_id if sensor_alert else None,
    )


def _continue_regime(name: str, regimes: RegimeJudge, store: AlertStore) -> None:
    """Go on with the regime that was told before a restart, if there is a model for it still."""
    if regimes.commanded is not None:
        last = store.regimes.of(name)
        regimes.commanded.name = last if last in regimes.regimes else None


def _last_step(open_alert: AlertRecord) -> Transition:
    """Return what gave an open alert its level."""
    event = open_alert.last_event
    return Transition(event.change, open_alert.level, event.rule or Rule.K_OF_N, event.windows)


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
