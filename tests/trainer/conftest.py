"""A healthy machine in numbers, recordings of it, and one bundle trained from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from agent.inference.arrays import FloatArray
from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, Segment, save_recording
from trainer.cli.main import main
from trainer.conversion.converter import shared_converter
from trainer.recordings import load_recording
from trainer.recordings.datasets import Source, simulated_source

_RATE_HZ = 100.0
_TINY = (
    *("--no-compare-modes", "--no-auto", "--folds", "3"),
    *("--arch", "dense", "--units", "8", "--epochs", "6", "--window", "32"),
)


def _healthy_samples(n_samples: int, n_axes: int = 2, seed: int = 0) -> FloatArray:
    random = np.random.default_rng(seed)
    times_s = np.arange(n_samples)[:, None] / _RATE_HZ
    axes = np.arange(n_axes)
    load = 1.0 + 0.1 * np.sin(2 * np.pi * times_s / 7.0)
    samples = (0.1 + 0.05 * axes) * load * np.sin(2 * np.pi * 12.0 * times_s + axes)
    samples += 0.01 * random.standard_normal((n_samples, n_axes))
    samples[:, -1] += 1.0
    return samples.astype(np.float32)


def _source(
    samples: FloatArray,
    name: str = "healthy",
    rate_hz: float | None = _RATE_HZ,
    segments: tuple[Segment, ...] = (),
    columns: tuple[str, ...] = (),
) -> Source:
    names = columns or ("x", "y", "z")[: samples.shape[1]]
    stretches = segments or (Segment(0, len(samples)),)
    return simulated_source(name, Recording(Path(name), names, samples, rate_hz, stretches, ()))


def _judder_train(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def healthy_samples() -> Callable[..., FloatArray]:
    """A 12 Hz vibration at 100 Hz with a tenth of noise and a slow load; gravity on the last axis."""
    return _healthy_samples


@pytest.fixture(scope="session")
def make_source() -> Callable[..., Source]:
    """A recording made of samples."""
    return _source


@pytest.fixture(scope="session")
def judder_train() -> Callable[..., Result]:
    """The command, in this process."""
    return _judder_train


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Options of a network that is trained in a moment."""
    return _TINY


@pytest.fixture(scope="session", autouse=True)
def _converter() -> Iterator[None]:
    """End the converter's process with the tests that share it."""
    yield
    shared_converter().close()


@dataclass(frozen=True)
class Fitted:
    """A bundle and what was printed when it was made."""

    path: Path
    key_file: Path
    public_key: str
    output: str


@pytest.fixture(scope="session")
def recording_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty seconds of the healthy machine, two axes."""
    path = tmp_path_factory.mktemp("data") / "healthy.npz"
    save_recording(path, _source(_healthy_samples(4000)).recording)
    return path


@pytest.fixture(scope="session")
def fitted(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """A signed int8 bundle, pump-2.judder, of the healthy machine."""
    folder = tmp_path_factory.mktemp("bundle")
    key_file, path = folder / "key", folder / "pump-2.judder"
    public_key = _judder_train("keygen", key_file).stdout.strip()
    result = _judder_train("fit", recording_file, "--out", path, "--sign", key_file, *_TINY)
    assert result.exit_code == 0, result.output
    return Fitted(path, key_file, public_key, result.output)


@pytest.fixture(scope="session")
def other_bundle(recording_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the same machine and settings, pump-2.judder, but with another seed."""
    path = tmp_path_factory.mktemp("other") / "pump-2.judder"
    result = _judder_train("fit", recording_file, "--out", path, *_TINY, "--seed", "1")
    assert result.exit_code == 0, result.output
    return path


def _check_damaged(path: Path) -> None:
    try:
        samples = load_recording(path).samples
    except RecordingError as error:
        told = str(error)
    else:
        told = str(path)
        assert np.isfinite(samples).all()
    assert str(path) in told
    assert "\n" not in told


@pytest.fixture(scope="session")
def check_damaged() -> Callable[[Path], None]:
    """A recording that may be damaged is read, or refused in one line that names it."""
    return _check_damaged


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public recordings: ``JUDDER_DATA``, or ``shared/data`` beside the checkout."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("JUDDER_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set JUDDER_DATA")
    return folder
