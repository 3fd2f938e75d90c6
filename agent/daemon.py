"""The composition root: a configuration becomes parts, parts become threads. ``assembly`` builds them."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

from agent import assembly
from agent.assembly import Surroundings
from agent.config import reload
from agent.config.file import Config
from agent.control.commands import Commands
from agent.control.handlers import Handlers
from agent.control.socket import ControlServer
from agent.errors import AgentError, ConfigError, StoreError
from agent.reporting.metrics import AlertCounter
from agent.reporting.status import version
from agent.reporting.telemetry import Telemetry
from agent.sensing.bus_sampler import BusSampler
from agent.storage.alerts import AlertStore
from agent.storage.announcer import Announcer, Listener
from agent.storage.database import DISK_ERRORS
from agent.storage.read_only import READ_ONLY_DISK
from agent.system import watchdog as systemd
from agent.system.journal import Entry, fields
from agent.system.watchdog import Watchdog, sd_notify
from agent.uplink.connection import UplinkStatus
from agent.uplink.forwarder import Forwarder
from agent.uplink.messages import alert_message
from agent.waveforms.around_alert import AlertWaveforms
from firmware_bridge.clock import Clock, SystemClock

if TYPE_CHECKING:
    from agent.reporting.metrics_server import MetricsServer

logger = logging.getLogger(__name__)

POLL_S = 0.5
STOP_TIMEOUT_S = 0.8
"""A thread that does not end within this is left behind: the daemon stops in under two seconds."""

RELOAD_TIMEOUT_S = 15.0
"""How long a connection that is being made may hold up a reload; less than systemd's watchdog allows."""


def run(
    config: Config,
    stop: Event,
    *,
    clock: Clock | None = None,
    listener: Listener | None = None,
    load: Callable[[], Config] | None = None,
    hangup: Event | None = None,
) -> None:
    """Run the daemon until ``stop`` is set.

    Args:
        config: What to run.
        stop: Ends the daemon.
        clock: The system's, if None.
        listener: Told of every alert event once it is stored.
        load: Reads the configuration again, for a reload.
        hangup: Set when the configuration shall be loaded again; cleared when it was.

    Raises:
        ConfigError: If a sensor cannot be as configured, or a bundle is made for another, or not trusted.
        StoreError: If the alert store cannot be opened, or turns out to be damaged: the next start heals it.
        ControlError: If another daemon has the control socket.
    """
    clock, hangup = clock or SystemClock(), hangup or Event()
    with ExitStack() as stack:
        daemon = Daemon(config, clock, stack, listener=listener, load=load)
        daemon.start()
        sd_notify(systemd.READY)
        logger.info("judder %s watches %s", version(), ", ".join(config.sensors))
        interval_s = min(systemd.watchdog_interval_s() or POLL_S, POLL_S)
        while not clock.wait(interval_s, stop):
            daemon.poll()
            if hangup.is_set():
                hangup.clear()
                daemon.reload_or_tell()
        sd_notify(systemd.STOPPING)
        logger.info("stopping")


class Daemon:
    """Everything that runs. Built whole; ``start`` makes it run, the exit stack ends it.

    Args:
        config: What to run.
        clock: For everybody.
        stack: Closes what is opened here; what is pushed last stops first.
        listener: Told of every alert event once it is stored.
        load: Reads the configuration again, for a reload.

    Raises:
        AgentError: See ``run``.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        stack: ExitStack,
        *,
        listener: Listener | None = None,
        load: Callable[[], Config] | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._stack = stack
        self._load = load
        self._reloading = Lock()
        self._alerts = AlertCounter()
        prepared = assembly.prepare(config, clock)
        _make_folders(config)
        opened = AlertStore.open(config.database, clock.utc(), config.outbox, config.history)
        self._store = stack.enter_context(opened)
        self._watchdog = Watchdog(sd_notify, clock)
        self._waveforms = AlertWaveforms(config.waveforms, config.evidence, clock, self._watchdog)
        announce = self._new_announcer(listener).announce
        shared = Surroundings(self._store, clock, self._watchdog, announce, self._waveforms)
        self._stations = assembly.stations(config, shared, prepared)
        self._bus_samplers = assembly.bus_samplers(config, self._stations, clock, self._watchdog)
        self._handlers = self._new_handlers()
        self._remote_commands = Commands("MQTT", self._handlers.table())
        self._forwarder = self._new_forwarder(config)
        self._telemetry = self._new_telemetry()
        local = Commands("control socket", self._handlers.table() | {"reload": lambda _: self.reload()})
        self._control = ControlServer(config.control_socket, local)
        self._metrics: MetricsServer | None = None

    def start(self) -> None:
        """Start the threads; stopped are first those that sample, then those that judge, then who sends."""
        self._stack.enter_context(self._control)
        self._stack.callback(self._close_metrics)
        self._serve_metrics(self._config)
        self._stack.callback(self._stop_forwarder)
        if self._forwarder is not None:
            self._forwarder.start()
        self._stack.callback(self._waveforms.stop, STOP_TIMEOUT_S)
        self._waveforms.start()
        for station in self._stations:
            self._stack.callback(station.stop, STOP_TIMEOUT_S)
            station.start()
        for bus_sampler in self._bus_samplers:
            self._stack.callback(_stop_sampling, bus_sampler)
            bus_sampler.start()

    def poll(self) -> None:
        """Feed systemd's watchdog and report what is due; call it every half second.

        Raises:
            StoreError: If the store is damaged.
        """
        self._watchdog.poll()
        self._telemetry.poll()
        if self._store.damaged:
            raise StoreError(self._store.path, "damaged while running; set aside at the next start")

    def reload(self) -> dict[str, Any]:
        """Take over what may change while running; return the key paths that changed.

        Raises:
            ConfigError: If the new configuration cannot be read or needs a restart; then nothing changes.
        """
        if self._load is None:
            raise ConfigError(None, ["there is no file to load again"])
        with self._reloading:
            sd_notify(systemd.reloading(self._clock))
            try:
                wanted = self._load()
                refused = reload.refusals(self._config, wanted)
                if refused:
                    raise ConfigError(None, refused)
                changes = reload.changes(self._config, wanted)
                self._take_over(wanted, changes)
            finally:
                sd_notify(systemd.READY)
        logger.info("reloaded: %s", ", ".join(changes) or "no change", extra=fields(Entry.RELOADED))
        return {"changed": changes}

    def reload_or_tell(self) -> None:
        """Reload at a signal, to which nobody answers but the log."""
        try:
            self.reload()
        except AgentError as error:
            logger.error("not reloaded: %s", error, extra=fields(Entry.RELOADED))

    def _new_announcer(self, listener: Listener | None) -> Announcer:
        message_of = partial(alert_message, gateway=self._config.gateway) if self._config.uplink else None
        listeners = [self._alerts.count, self._waveforms.keep]
        return Announcer(self._store, message_of, [*listeners, listener] if listener else listeners)

    def _new_handlers(self) -> Handlers:
        return Handlers(
            lambda: self._config,
            self._stations,
            self._store,
            self._uplink_status,
            self._alerts,
            self._waveforms.capture,
            self._clock,
        )

    def _new_telemetry(self) -> Telemetry:
        config, outbox = self._config, self._store.outbox if self._config.uplink else None
        return Telemetry(config.telemetry, config.gateway, self._stations, outbox, self._clock)

    def _take_over(self, wanted: Config, changes: list[str]) -> None:
        # What may be refused comes first.
        forwarder = self._new_forwarder(wanted) if "uplink" in changes else None
        if "metrics" in changes:
            self._serve_metrics(wanted)
        self._config = wanted
        self._telemetry.intervals = wanted.telemetry
        for station in self._stations:
            station.monitor.adjust(None, wanted.sensors[station.name].alarm)
        if forwarder is not None and self._forwarder is not None:  # a reload neither adds nor removes one
            self._forwarder.stop(RELOAD_TIMEOUT_S)
            self._forwarder = forwarder
            self._forwarder.start()

    def _uplink_status(self) -> UplinkStatus | None:
        return self._forwarder.status if self._forwarder else None

    def _new_forwarder(self, config: Config) -> Forwarder | None:
        return assembly.forwarder(config, self._store, self._clock, self._watchdog, self._remote_commands)

    def _stop_forwarder(self) -> None:
        if self._forwarder is not None:
            self._forwarder.stop(STOP_TIMEOUT_S)

    def _serve_metrics(self, config: Config) -> None:
        """Serve metrics where the configuration says, and no longer where they were."""
        server: MetricsServer | None = None
        if config.metrics is not None:
            from agent.reporting.metrics_server import (
                MetricsServer,  # HTTP costs memory that few gateways want to spend
            )

            server = MetricsServer(config.metrics.address, self._handlers.metrics)
            server.start()
        self._close_metrics()
        self._metrics = server

    def _close_metrics(self) -> None:
        if self._metrics is not None:
            self._metrics.close()


def _stop_sampling(bus_sampler: BusSampler) -> None:
    if not bus_sampler.stop(STOP_TIMEOUT_S):
        logger.error("thread %s did not stop within %g s", bus_sampler.name, STOP_TIMEOUT_S)


def _make_folders(config: Config) -> None:
    for key, folder in (("state_dir", config.state_dir), ("runtime_dir", config.runtime_dir)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if error.errno in DISK_ERRORS:  # heals, other than a wrong path: systemd tries again
                hint = READ_ONLY_DISK if error.errno == errno.EROFS else "free space on the disk"
                raise StoreError(folder, f"cannot be made: {error.strerror}; {hint}") from error
            raise ConfigError(None, [f"{key} = {folder}: cannot be made: {error.strerror}"]) from error
