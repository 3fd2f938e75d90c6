"""The networks of one bundle: one without each fold, one without each session, and the one that ships."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median_low
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import BoolArray, FloatArray
from agent.inference.features import Features
from agent.inference.window import WindowSpec
from agent.inference.window_numbers import WindowNumbers
from firmware_bridge.recording import Recording
from trainer.networks.checkpoint import Checkpoint, Slot
from trainer.networks.features import fit_features
from trainer.networks.models import patches
from trainer.networks.training import History, Trained, TrainingRecord, train
from trainer.recordings.folds import FoldedWindows, fold_windows
from trainer.rounding import short
from trainer.settings import PATCHES, FitSettings
from trainer.system.quiet import load_keras

if TYPE_CHECKING:
    import keras


REPRESENTATIVES = 500
"""Windows that int8 takes its ranges from."""
OnLoss = Callable[[float, float], None]
"""Takes the share of all training that is done, and the loss."""

_TRAINING_OVERLAP = 16
"""Training windows per length: the network must know the machine at every phase; with fewer it learns the
windows by heart."""

_HEADROOM = 1.25
"""The ranges of an int8 network reach further than what it learnt from. Beyond them it saturates, and a
healthy move that is a little larger would be the worst defect of all."""


@dataclass(frozen=True)
class Network:
    """A trained network, before it is converted; it takes features of shape (n_windows, *shape)."""

    features: Features
    build: Callable[[], keras.Model]
    """Returns the Keras model."""
    representatives: FloatArray
    """Features of some windows that it learnt from; int8 takes its ranges from them."""


@dataclass(frozen=True)
class Networks:
    """All networks of one bundle, of the same architecture and settings."""

    folds: tuple[Network, ...]
    """The k-th has not learnt from fold k."""
    sessions: tuple[Network, ...]
    """The k-th has not learnt from the k-th group of recordings."""
    final: Network
    """Has learnt from everything, and ships."""
    record: TrainingRecord


@dataclass(frozen=True)
class Task:
    """Which recordings and folds the networks are to be trained without."""

    recordings: Sequence[Recording]
    window: WindowSpec
    folded: FoldedWindows
    axes: tuple[str, ...]
    groups: Sequence[npt.NDArray[np.int64]]
    """Of recordings that are left out together."""


def train_networks(
    task: Task, settings: FitSettings, on_loss: OnLoss, checkpoint: Checkpoint | None = None
) -> Networks:
    """Train all networks of a bundle.

    Args:
        task: What to learn from, and what not.
        settings: The choices.
        on_loss: Called with the share of all training that is done, and the loss.
        checkpoint: Keeps what is learnt; None to keep nothing.

    Raises:
        ChoiceError: If the network cannot be built for such windows.
        TrainingError: If a network does not learn.
    """
    load_keras()
    if settings.network.architecture == PATCHES:
        return _train_patches(task, settings, on_loss, checkpoint)
    return _train_each(task, settings, on_loss, checkpoint)


def _train_patches(
    task: Task, settings: FitSettings, on_loss: OnLoss, checkpoint: Checkpoint | None
) -> Networks:
    """Train the default networks side by side, in the same steps."""
    dense = _dense_windows(task)
    # Which windows each network learns from: without a fold, without a group of recordings, from all.
    learnt = [dense.fold != fold for fold in range(dense.count)]
    learnt += [~np.isin(dense.session, group) for group in task.groups]
    learnt.append(np.ones(len(dense.fold), bool))
    squares, length = WindowNumbers(dense.windows).mean_square, dense.windows.shape[1]
    scales = (np.sqrt(squares[mask].mean(axis=0, dtype=np.float64)) for mask in learnt)
    features = [patches.patch_features(short(scale), length) for scale in scales]
    chosen = [
        patches.choose_patches(_of(own, dense.windows[mask]), own.patch)
        for own, mask in zip(features, learnt, strict=True)
    ]
    steps = settings.steps or patches.enough_steps(round(dense.independent * length))
    losses: list[float] = []

    def on_report(loss: float) -> None:
        losses.append(loss)
        on_loss(len(losses) / patches.REPORTS, loss)

    weights, loss = patches.train_folds(
        chosen, features[0], steps, settings.training.seed, on_report, _slot(checkpoint, 0)
    )

    def network(index: int) -> Network:
        own, own_weights = features[index], weights[index]
        return Network(
            own,
            lambda: patches.convolutional(own_weights, own, length),
            np.float32(_HEADROOM) * _of(own, _some(dense.windows[learnt[index]])),
        )

    parameters = sum(weight.size for weight in weights[-1])
    record = TrainingRecord(parameters, steps, steps, loss, None, History(tuple(losses)))
    every = [network(index) for index in range(len(learnt))]
    return _sorted(every, dense.count, record)


def _train_each(
    task: Task, settings: FitSettings, on_loss: OnLoss, checkpoint: Checkpoint | None
) -> Networks:
    """Train one network after the other.

    Without fold k training is stopped by the fold after it. The networks that know all folds are trained for
    as many epochs as did best on the whole: the median of those.
    """
    windows = _dense_windows(task)
    n_turns = windows.count + len(task.groups) + 1
    trained: list[Trained] = []
    networks: list[Network] = []

    def turn(learn: BoolArray, check: BoolArray | None, training: FitSettings) -> None:
        network, result = _train_one(
            windows,
            learn=learn,
            check=check,
            axes=task.axes,
            settings=training,
            on_epoch=_share(on_loss, len(trained), n_turns, training),
            slot=_slot(checkpoint, len(trained)),
        )
        networks.append(network)
        trained.append(result)

    # Not the fold that is left out stops the training: it would no longer be unseen.
    for fold in range(windows.count):
        check = windows.fold == (fold + 1) % windows.count
        turn((windows.fold != fold) & ~check, check, settings)
    best = median_low([result.best_epoch for result in trained])
    refit = replace(settings, training=replace(settings.training, epochs=best))
    for group in task.groups:
        turn(~np.isin(windows.session, group), None, refit)
    turn(np.ones(len(windows.fold), bool), None, refit)
    return _sorted(networks, windows.count, _record(trained, windows.count))


def _dense_windows(task: Task) -> FoldedWindows:
    """Return more windows than are judged, at a hop of fewer samples.

    A patch is met again with another mean taken from it.
    """
    hop = max(min(task.window.hop, task.window.length // _TRAINING_OVERLAP), 1)
    dense = replace(task.window, hop=hop)
    return fold_windows(task.recordings, dense, task.folded.count)


def _train_one(
    windows: FoldedWindows,
    *,
    learn: BoolArray,
    check: BoolArray | None,
    axes: Sequence[str],
    settings: FitSettings,
    on_epoch: Callable[[float], None],
    slot: Slot | None,
) -> tuple[Network, Trained]:
    features = fit_features(settings.features, windows.windows[learn], axes, settings.bands)
    learnt = _of(features, windows.windows[learn])
    checked = None if check is None else _of(features, windows.windows[check])
    trained = train(learnt, checked, settings.network, settings.training, on_epoch, slot)
    return Network(features, lambda: trained.model, _some(learnt)), trained


def _of(features: Features, windows: FloatArray) -> FloatArray:
    return features.of(WindowNumbers(windows))


def _slot(checkpoint: Checkpoint | None, turn: int) -> Slot | None:
    return checkpoint.slot(f"training {turn + 1}") if checkpoint else None


def _some(windows: FloatArray) -> FloatArray:
    return windows[:: math.ceil(len(windows) / REPRESENTATIVES)]


def _share(on_loss: OnLoss, turn: int, n_turns: int, settings: FitSettings) -> Callable[[float], None]:
    epoch = 0

    def on_epoch(loss: float) -> None:
        nonlocal epoch
        epoch += 1
        on_loss((turn + min(epoch / settings.training.epochs, 1.0)) / n_turns, loss)

    return on_epoch


def _record(trained: Sequence[Trained], folds: int) -> TrainingRecord:
    """Return what training came to: the curves are those of the fold that did best after the median time."""
    best = median_low([result.best_epoch for result in trained[:folds]])
    typical = next(result for result in trained[:folds] if result.best_epoch == best)
    final = trained[-1]
    return TrainingRecord(
        final.parameters,
        max(result.epochs for result in trained[:folds]),
        best,
        final.loss,
        math.fsum(result.validation_loss for result in trained[:folds]) / folds,
        typical.history,
    )


def _sorted(networks: Sequence[Network], folds: int, record: TrainingRecord) -> Networks:
    return Networks(tuple(networks[:folds]), tuple(networks[folds:-1]), networks[-1], record)
