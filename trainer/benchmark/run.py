"""One machine: judder's architectures, and simple detectors on the same windows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agent.config.alarm import AlarmPolicy
from agent.inference.arrays import FloatArray
from agent.inference.detector import Detector, open_detector
from agent.inference.scoring import Level
from agent.inference.window import WindowSpec
from agent.judging.alarm import Alarm, episodes
from trainer.benchmark.baselines import BASELINES
from trainer.benchmark.figures import Figures, Machine, Scores, figures, two_of_three, windows_of
from trainer.bundles.making import bundle_up
from trainer.bundles.writing import Target
from trainer.errors import ChoiceError
from trainer.fit import converted, laid_out, learn
from trainer.networks.crossfit import Networks
from trainer.networks.models import default_features
from trainer.progress import OnProgress
from trainer.recordings.datasets import simulated_source
from trainer.recordings.subject import Subject, take
from trainer.settings import PATCHES, FitSettings, NetworkSettings

_SIGMAS = 3.0
"""A simple detector's line lies so many standard deviations above the mean of what it learnt from."""

OnFigures = Callable[[Figures], None]


def run(
    machine: Machine,
    architectures: Sequence[str],
    settings: FitSettings,
    on_progress: OnProgress,
    on_figures: OnFigures,
) -> None:
    """Measure the figures of each architecture, all parts together, and then of each simple detector.

    Args:
        machine: Recordings of one machine.
        architectures: Keys of ``ARCHITECTURES``, one or more.
        settings: Training and quantization; architecture and features are those of each one.
        on_progress: Called with what is being done, and the share of it that is done.
        on_figures: Called with each row as soon as it is there.

    Raises:
        TrainerError: If an architecture cannot learn from the recordings.
    """
    subject = take(
        [simulated_source(str(recording.path), recording) for recording in machine.healthy], settings
    )
    for architecture in architectures:
        on_figures(_judder(machine, subject, _settings(subject, settings, architecture), on_progress))
    learnt = windows_of(machine.healthy, subject.window)
    for name, baseline in BASELINES.items():
        score = baseline(learnt)
        healthy = score(learnt)
        line = float(healthy.mean() + _SIGMAS * healthy.std())
        on_figures(figures(machine, name, score, line, two_of_three(line), subject.window))


def _settings(subject: Subject, settings: FitSettings, architecture: str) -> FitSettings:
    network = NetworkSettings(architecture, ())
    wanted = replace(settings, network=network, features=default_features(architecture))
    try:
        return laid_out(subject, wanted)
    except ChoiceError:  # a loop cannot be made int8
        return laid_out(subject, replace(wanted, quantization="float16"))


def _judder(machine: Machine, subject: Subject, settings: FitSettings, on_progress: OnProgress) -> Figures:
    """Train once, and judge with the network as it ships and as it was trained."""
    architecture = settings.network.architecture
    name = f"judder {architecture}" + (" (default)" if architecture == PATCHES else "")
    networks = learn(subject, settings, on_progress)
    detector, quantization = _detector(subject, networks, settings, on_progress)
    exact, _ = _detector(subject, networks, replace(settings, quantization="float32"), on_progress)
    shipped = _figures(machine, f"{name}, {quantization}", detector, subject.window)
    return replace(shipped, float_roc_auc=_figures(machine, name, exact, subject.window).roc_auc)


def _detector(
    subject: Subject, networks: Networks, settings: FitSettings, on_progress: OnProgress
) -> tuple[Detector, str]:
    chosen, learned = converted(subject, networks, settings, on_progress)
    with tempfile.TemporaryDirectory() as folder:
        target = Target(Path(folder) / "machine-1.judder", "machine", "1")
        bundle_up(subject, learned, chosen, target, None)
        detector, _ = open_detector(target.path)
    return detector, chosen.quantization


def _figures(machine: Machine, name: str, detector: Detector, window: WindowSpec) -> Figures:
    manifest = detector.manifest

    def score(windows: FloatArray) -> Scores:
        return np.array([verdict.score for verdict in detector.judge(windows)])

    def first_alert(scores: Scores) -> int | None:
        found = episodes(scores.tolist(), Alarm(manifest, AlarmPolicy()))
        return found[0].raised if found else None

    return figures(machine, name, score, manifest.thresholds.of(Level.WARNING), first_alert, window)
