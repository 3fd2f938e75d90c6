"""From a sensor's configuration to what judges its windows: a bundle, several of them, or one a regime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.config.sensor import Regimes, Sensor
from agent.errors import BundleError, ConfigError
from agent.inference.detector import Detector, open_detector
from agent.inference.manifest import RATE_TOLERANCE
from agent.judging.ensemble import Ensemble
from agent.judging.judges import Judge
from agent.judging.regime import SEARCH_BINS, Band, CommandedRegime, RegimeJudge, SpeedRegime
from firmware_bridge.axes import AXES


def open_judge(name: str, sensor: Sensor, trusted_keys: Sequence[str]) -> Judge:
    """Return what judges a sensor's windows: the detector of its bundle, an ensemble, or models by regime.

    Args:
        name: Of the sensor in the configuration.
        sensor: What is configured.
        trusted_keys: Public keys that may sign bundles; if none, unsigned bundles are taken, too.

    Raises:
        ConfigError: With every bundle that is not to be trusted on this machine, or is made for another rate,
            other axes or other windows.
    """
    problems, detectors = [], []
    for key, path in sensor.bundles.items():
        try:
            detector = open_detector(path, tuple(trusted_keys))[0]
        except BundleError as error:
            problems.append(f"sensors.{name}.{key}: {error}")
            continue
        problems += _fit_problems(name, sensor, key, path, detector)
        detectors.append(detector)
    if problems:
        raise ConfigError(None, problems)
    try:
        if sensor.regimes is not None:
            return _by_regime(sensor.regimes, sensor.rate_hz, detectors)
        return Ensemble(detectors, sensor.ensemble.combine) if sensor.ensemble else detectors[0]
    except ValueError as error:
        table = "regimes" if sensor.regimes else "ensemble"
        raise ConfigError(None, [f"sensors.{name}.{table}: {error}"]) from error


def _fit_problems(name: str, sensor: Sensor, key: str, bundle: Path, detector: Detector) -> Iterator[str]:
    """Yield what makes a bundle one for another sensor."""
    rate_hz, axes = detector.manifest.rate_hz, detector.manifest.axes
    if rate_hz is None or abs(rate_hz - sensor.rate_hz) > RATE_TOLERANCE * sensor.rate_hz:
        trained = f"at {rate_hz:g} Hz" if rate_hz else "without saying its sample rate"
        yield f"sensors.{name}.rate_hz = {sensor.rate_hz:g}: {bundle.name} was trained {trained}"
    if columns_of(axes) is None:
        yield f"sensors.{name}.{key}: it takes the axes {', '.join(axes)}; a sensor has x, y and z"


def columns_of(axes: Sequence[str]) -> tuple[int, ...] | None:
    """Return which of a sensor's axes a bundle takes, or None if a sensor has no such.

    All three in order, whatever their names, or those that it names.
    """
    if len(axes) == len(AXES):
        return tuple(range(len(AXES)))
    return tuple(map(AXES.index, axes)) if set(axes) <= set(AXES) else None


def _by_regime(regimes: Regimes, rate_hz: float, detectors: Sequence[Detector]) -> RegimeJudge:
    """Return models by regime; refuse bands of speed, in Hz, that a window does not tell apart."""
    members = dict(zip(regimes.models, detectors, strict=True))
    if regimes.search_hz is None:
        return RegimeJudge(members, CommandedRegime(None))
    bands = {name: Band(*model.speed_hz) for name, model in regimes.models.items() if model.speed_hz}
    resolution_hz = rate_hz / detectors[0].manifest.window.length
    search = Band(*regimes.search_hz)
    if search.high_hz - search.low_hz < SEARCH_BINS * resolution_hz:
        raise ValueError(f"search_hz must be {SEARCH_BINS * resolution_hz:.3g} Hz wide for these windows")
    for name, band in bands.items():
        if band.high_hz - band.low_hz < resolution_hz:
            why = f"is narrower than what a window tells apart ({resolution_hz:.3g} Hz)"
            raise ValueError(f"models.{name}.speed_hz {why}")
    return RegimeJudge(members, SpeedRegime(rate_hz, search, bands))
