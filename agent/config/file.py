"""The configuration: ``judder.toml``, with every problem told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from agent.config.names import GatewayName, TopicLevel
from agent.config.reporting import Metrics, TelemetryIntervals
from agent.config.sensor import Regimes, Sensor
from agent.config.storage import HistoryLimits, OutboxLimits
from agent.config.uplink import BrokerSettings, TlsSettings
from agent.config.waveforms import WaveformSettings
from agent.decode import DecodeError, Pattern, decode, parse_toml
from agent.errors import ConfigError

DEFAULT_PATH = Path("/etc/judder/judder.toml")


@dataclass(frozen=True)
class Config:
    """The whole configuration."""

    gateway: GatewayName
    sensors: Mapping[TopicLevel, Sensor]
    uplink: BrokerSettings | None = None
    """Absent: alerts stay on the gateway."""
    telemetry: TelemetryIntervals = field(default_factory=TelemetryIntervals)
    outbox: OutboxLimits = field(default_factory=OutboxLimits)
    history: HistoryLimits = field(default_factory=HistoryLimits)
    metrics: Metrics | None = None
    evidence: WaveformSettings = field(default_factory=WaveformSettings)
    state_dir: Path = Path("/var/lib/judder")
    """Alerts and outbox (``judder.db``)."""
    runtime_dir: Path = Path("/run/judder")
    """Control socket."""
    trusted_keys: tuple[Annotated[str, Pattern("[0-9a-f]{64}", "a public key, 64 hex digits")], ...] = ()
    """Public keys that may sign bundles; if any, unsigned bundles are refused."""

    def __post_init__(self) -> None:
        if not self.sensors:
            raise ValueError("sensors: at least one table [sensors.NAME] is needed")

    @property
    def database(self) -> Path:
        """The alert store."""
        return self.state_dir / "judder.db"

    @property
    def waveforms(self) -> Path:
        """The folder of the waveforms around alerts."""
        return self.state_dir / "evidence"

    @property
    def control_socket(self) -> Path:
        """The one door for commands."""
        return self.runtime_dir / "control.sock"


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: With every problem: file, key path, value and what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}; give one with --config FILE"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, [f"is not UTF-8 text: {error}"]) from error
    return parse_config(text, path)


def parse_config(text: str, path: Path) -> Config:
    """Check a configuration's text; ``path`` is where it stands, for messages and relative paths.

    Raises:
        ConfigError: See ``load_config``.
    """
    try:
        config = decode(Config, parse_toml(text))
    except DecodeError as error:
        raise ConfigError(path, list(error.problems)) from error
    return _with_absolute_paths(config, path.resolve().parent)


def _with_absolute_paths(config: Config, folder: Path) -> Config:
    """Return the configuration with relative paths taken from the file's folder."""
    sensors = {name: _sensor_with_absolute_paths(sensor, folder) for name, sensor in config.sensors.items()}
    return replace(
        config,
        sensors=sensors,
        uplink=config.uplink and _broker_with_absolute_paths(config.uplink, folder),
        state_dir=folder / config.state_dir,
        runtime_dir=folder / config.runtime_dir,
    )


def _sensor_with_absolute_paths(sensor: Sensor, folder: Path) -> Sensor:
    ensemble = sensor.ensemble
    if ensemble is not None:
        ensemble = replace(ensemble, bundles=tuple(folder / bundle for bundle in ensemble.bundles))
    bundle = None if sensor.bundle is None else folder / sensor.bundle
    return replace(sensor, bundle=bundle, ensemble=ensemble, regimes=_regimes(sensor.regimes, folder))


def _regimes(regimes: Regimes | None, folder: Path) -> Regimes | None:
    """Return the regimes with absolute paths."""
    if regimes is None:
        return None
    models = {name: replace(model, bundle=folder / model.bundle) for name, model in regimes.models.items()}
    return replace(regimes, models=models)


def _broker_with_absolute_paths(broker: BrokerSettings, folder: Path) -> BrokerSettings:
    tls = broker.tls
    if tls is not None:
        tls = TlsSettings(
            ca_file=tls.ca_file and folder / tls.ca_file,
            cert_file=tls.cert_file and folder / tls.cert_file,
            key_file=tls.key_file and folder / tls.key_file,
        )
    return replace(broker, tls=tls, password_file=broker.password_file and folder / broker.password_file)
