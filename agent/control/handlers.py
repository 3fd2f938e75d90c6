"""What the daemon does at a command, whichever door it came in by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agent.config.file import Config
from agent.control.commands import Handler
from agent.errors import ControlError
from agent.reporting.metrics import AlertCounter, exposition, gateway_metrics
from agent.reporting.status import gateway_status
from agent.station import Station
from agent.storage.alerts import AlertStore
from agent.storage.overrides import ThresholdOverride
from agent.uplink.connection import UplinkStatus
from agent.utc import format_utc
from firmware_bridge.clock import Clock

Arguments = Mapping[str, Any]

MAX_SCORE = 40.0
"""Above it no score is told apart from another."""


class Handlers:
    """The commands of a running daemon.

    Args:
        config: Asks for the configuration that runs now.
        stations: Its sensors.
        store: Its alerts and outbox.
        uplink: Asks how the connection stands; answers None without an uplink.
        alerts: Counts the alerts that it raised.
        capture: Writes the waveform around now; takes sensor, label and note (see ``Evidence.capture``).
        clock: For UTC.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        stations: Sequence[Station],
        store: AlertStore,
        uplink: Callable[[], UplinkStatus | None],
        alerts: AlertCounter,
        capture: Callable[[str, str, str], Path | None],
        clock: Clock,
    ) -> None:
        self._config = config
        self._stations = {station.name: station for station in stations}
        self._store = store
        self._uplink = uplink
        self._alerts = alerts
        self._capture_waveform = capture
        self._clock = clock
        self._started = clock.utc()

    def table(self) -> dict[str, Handler]:
        """Return the commands by name."""
        return {
            "status": self._status,
            "acknowledge": self._acknowledge,
            "threshold": self._threshold,
            "capture": self._capture,
            "regime": self._regime,
            "metrics": lambda arguments: self.metrics(),
        }

    def metrics(self) -> str:
        """Return everything that is counted and measured, for Prometheus.

        Raises:
            StoreError: If the store cannot be read.
        """
        return exposition(
            gateway_metrics(
                list(self._stations.values()),
                self._store,
                self._uplink(),
                self._alerts,
                started=self._started,
                now=self._clock.utc(),
            )
        )

    def _status(self, arguments: Arguments) -> dict[str, Any]:
        return gateway_status(
            self._config().gateway,
            list(self._stations.values()),
            self._store,
            self._uplink(),
            started=self._started,
            now=self._clock.utc(),
        )

    def _acknowledge(self, arguments: Arguments) -> dict[str, Any]:
        alert_id, by = arguments.get("alert_id"), arguments.get("by")
        if not isinstance(alert_id, str) or not isinstance(by, str):
            raise ControlError("acknowledge needs 'alert_id' and 'by'")
        record = self._store.acknowledge(alert_id, by, self._clock.utc())
        assert record.acknowledged_at is not None
        return {
            "alert_id": record.alert_id,
            "acknowledged_at": format_utc(record.acknowledged_at),
            "acknowledged_by": record.acknowledged_by,
        }

    def _threshold(self, arguments: Arguments) -> dict[str, Any]:
        """Set a sensor's thresholds, or, without ``warning`` and ``alarm``, go back to the bundle's."""
        station = self._station(arguments)
        if "warning" in arguments or "alarm" in arguments:
            override = self._override(station.name, arguments)
            self._store.overrides.set(override)
            thresholds = override.thresholds
        else:
            self._store.overrides.remove(station.name)
            thresholds = station.bundle_thresholds
        station.monitor.adjust(thresholds, self._config().sensors[station.name].alarm)
        return {
            "sensor": station.name,
            "warning": thresholds.warning.score,
            "alarm": thresholds.alarm.score,
            "method": thresholds.warning.method,
        }

    def _capture(self, arguments: Arguments) -> dict[str, Any]:
        """Keep the waveform of a sensor around now."""
        station = self._station(arguments)
        by = arguments.get("by")
        if not isinstance(by, str):
            raise ControlError("capture needs 'sensor' and 'by'")
        path = self._capture_waveform(station.name, "asked", f"asked for by {by}")
        if path is None:
            raise ControlError("no waveforms are kept; set max_mb in [evidence]")
        return {"sensor": station.name, "file": path.name}

    def _regime(self, arguments: Arguments) -> dict[str, Any]:
        """Take note of how a machine runs now; ``null``: in no regime that has a model."""
        station = self._station(arguments)
        by, name = arguments.get("by"), arguments.get("regime")
        if not isinstance(by, str) or "regime" not in arguments:
            raise ControlError("regime needs 'sensor', 'regime' and 'by'")
        if station.regimes is None or station.regimes.commanded is None:
            how = f'set by = "command" in [sensors.{station.name}.regimes]'
            raise ControlError(f"the regime of {station.name} is not set by commands; {how}")
        if name is not None and (not isinstance(name, str) or name not in station.regimes.regimes):
            raise ControlError(f"no regime '{name}'; known are {', '.join(station.regimes.regimes)}")
        station.regimes.commanded.name = name  # in force even if the disk does not take it
        self._store.regimes.set(station.name, name, self._clock.utc(), by)
        return {"sensor": station.name, "regime": name}

    def _station(self, arguments: Arguments) -> Station:
        name = arguments.get("sensor")
        if not isinstance(name, str) or name not in self._stations:
            raise ControlError(f"no sensor '{name}'; known are {', '.join(self._stations)}")
        return self._stations[name]

    def _override(self, sensor: str, arguments: Arguments) -> ThresholdOverride:
        warning, alarm = _score(arguments, "warning"), _score(arguments, "alarm")
        by = arguments.get("by")
        if not isinstance(by, str):
            raise ControlError("threshold needs 'by'")
        if alarm < warning:
            raise ControlError(f"the alarm threshold {alarm:g} lies below the warning threshold {warning:g}")
        return ThresholdOverride(sensor, warning, alarm, self._clock.utc(), by)


def _score(arguments: Arguments, key: str) -> float:
    value = arguments.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SCORE:
        raise ControlError(f"threshold needs '{key}', a score from 0 to {MAX_SCORE:g}")
    return float(value)
