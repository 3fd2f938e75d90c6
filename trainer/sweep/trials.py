"""The search for good layers and training settings: trials, their values, and the storage they are kept in.

Optuna (Akiba et al., KDD 2019) proposes by a tree-structured Parzen estimator and ends trials early whose
validation loss is above the median of the others at the same epoch.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sklearn import metrics

from agent.inference.arrays import BoolArray, FloatArray
from agent.inference.window import WindowSpec, cut, window_starts
from agent.inference.window_numbers import WindowNumbers
from trainer.errors import ChoiceError, DataError, SearchError, TrainingError
from trainer.networks.features import fit_features
from trainer.networks.models import check_network
from trainer.networks.training import Trained, train
from trainer.recordings.datasets import Source, check_sources, choose_window, common_rate
from trainer.recordings.folds import fold_windows
from trainer.recordings.labels import Label, LabelledSource, window_labels
from trainer.settings import FitSettings, Loss, TrainingSettings
from trainer.sweep.space import Dimension, Space, network_of, training_of

if TYPE_CHECKING:
    import keras


Objective = Literal["loss", "roc-auc", "pr-auc"]

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
REASON, PID, PARAMETERS, EPOCHS = "reason", "pid", "parameters", "epochs"
"""Kept with a trial."""

_STUDY = "judder"
_IDENTITY = "identity"
_TRAINING_OVERLAP = 4
_STARTUP_TRIALS, _WARM_UP_EPOCHS = 5, 3
_BATCH = 1024


@dataclass(frozen=True, kw_only=True)
class Job:
    """What each trial needs; windows are features of shape (n_windows, *shape)."""

    space: Space
    training: TrainingSettings
    objective: Objective
    metric: Loss
    """Error of a reconstruction, where labelled windows are separated by it."""
    learnt: FloatArray
    """Features of the windows to learn from, shape (n_windows, *shape)."""
    checked: FloatArray
    """Features of the windows that stop the training, and that the loss is of, likewise."""
    labelled: FloatArray
    """Features of windows that are known to be normal or anomalous, likewise; none for ``loss``."""
    truth: BoolArray
    """Whether anomalous, shape (n_windows,)."""

    def save(self, folder: Path) -> None:
        """Write it, for another process."""
        document = {
            "architecture": self.space.architecture,
            "dimensions": [asdict(dimension) for dimension in self.space.dimensions],
            "training": asdict(self.training),
            "objective": self.objective,
            "metric": self.metric,
        }
        (folder / "job.json").write_text(json.dumps(document), encoding="utf-8")
        for name in ("learnt", "checked", "labelled", "truth"):
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, folder: Path) -> Job:
        """Read what ``save`` wrote; the windows stay on the disk, where all processes share them."""
        document = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        dimensions = [
            Dimension(**{**dimension, "choices": tuple(dimension["choices"])})
            for dimension in document["dimensions"]
        ]
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in ("learnt", "checked", "labelled", "truth")
        }
        return cls(
            space=Space(document["architecture"], tuple(dimensions)),
            training=TrainingSettings(**document["training"]),
            objective=document["objective"],
            metric=document["metric"],
            **arrays,
        )


def prepare(
    sources: Sequence[Source],
    labelled: Sequence[LabelledSource],
    settings: FitSettings,
    space: Space,
    objective: Objective,
) -> Job:
    """Cut recordings into the windows of a search: the last fold of each stops the training.

    Args:
        sources: Recordings of the healthy machine.
        labelled: Recordings with known rows, where the objective asks for them.
        settings: Window, features and training; network and what else is searched do not count.
        space: What is tried.
        objective: What a trial is judged by.

    Raises:
        DataError: If the recordings cannot be learnt from, or only one class is labelled.
        ChoiceError: If the architecture cannot take such features.
    """
    axes = check_sources([*sources, *(one.source for one in labelled)])
    rate_hz = common_rate([*sources, *(one.source for one in labelled)])
    window = choose_window(rate_hz, settings.window_length, settings.hop)
    dense = WindowSpec(window.length, max(window.hop // _TRAINING_OVERLAP, 1))
    folded = fold_windows([source.recording for source in sources], dense, settings.folds)
    # One fold, not all in turn: a search asks which network is better, not how good it is.
    held_out = folded.fold == folded.count - 1
    features = fit_features(settings.features, folded.windows[~held_out], axes, settings.bands)
    check_network(settings.network, features.shape(window.length), settings.features, settings.quantization)

    def of(windows: FloatArray) -> FloatArray:
        return features.of(WindowNumbers(windows))

    known, truth = _labelled(labelled, window, len(axes))
    if objective != "loss" and len(np.unique(truth)) < 2:
        raise DataError(
            f"{objective} needs windows of both kinds, there are {int((~truth).sum())} normal and "
            f"{int(truth.sum())} anomalous; give labelled recordings, or choose --objective loss"
        )
    return Job(
        space=space,
        training=settings.training,
        objective=objective,
        metric="mse" if settings.metric == "mse" else "mae",
        learnt=of(folded.windows[~held_out]),
        checked=of(folded.windows[held_out]),
        labelled=of(known) if len(known) else np.empty((0, *features.shape(window.length)), np.float32),
        truth=truth,
    )


def _labelled(
    labelled: Sequence[LabelledSource], window: WindowSpec, n_axes: int
) -> tuple[FloatArray, BoolArray]:
    windows = [np.empty((0, window.length, n_axes), np.float32)]
    truth = [np.empty(0, np.bool_)]
    for one in labelled:
        recording = one.source.recording
        starts = window_starts([(segment.start, segment.end) for segment in recording.segments], window)
        labels = window_labels(one.rows, starts, window.length)
        known = labels != Label.IGNORE
        windows.append(cut(recording.samples, starts[known], window.length))
        truth.append(labels[known] == Label.ANOMALY)
    return np.concatenate(windows), np.concatenate(truth)


# --- The storage


def open_study(storage: Path, identity: Mapping[str, str], objective: Objective) -> optuna.Study:
    """Begin a search, or go on with the one that a file holds.

    Args:
        storage: A journal that this function began, or a new file.
        identity: All that trials depend on, by name.
        objective: What they are judged by.

    Raises:
        SearchError: If the file is none of ours, or of another search.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    given = {**identity, "objective": objective}
    try:
        with _quiet():
            journal = JournalStorage(JournalFileBackend(str(storage)))
            names = optuna.get_all_study_names(journal)
            if names and names != [_STUDY]:
                raise SearchError(f"{storage}: holds another study ({', '.join(names)}); choose another file")
            study = optuna.create_study(
                study_name=_STUDY,
                storage=journal,
                load_if_exists=True,
                direction="minimize" if objective == "loss" else "maximize",
                pruner=optuna.pruners.MedianPruner(_STARTUP_TRIALS, _WARM_UP_EPOCHS),
            )
    except OSError as error:
        raise SearchError(f"{storage}: cannot be used: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SearchError(f"{storage}: is no storage of a search; choose another file") from error
    if not names:
        study.set_user_attr(_IDENTITY, given)
    # Trials of other data or settings cannot be compared with these, so nothing may be mixed.
    found = study.user_attrs.get(_IDENTITY, {})
    others = [name for name in given if found.get(name) != given[name]]
    if others:
        raise SearchError(
            f"{storage}: is of a search with other {' and '.join(others)}; give the same command as then, "
            "or choose another file"
        )
    return study


def reopen_study(storage: Path) -> optuna.Study:
    """Return the search that another process has opened."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _quiet():
        journal = JournalStorage(JournalFileBackend(str(storage)))
        pruner = optuna.pruners.MedianPruner(_STARTUP_TRIALS, _WARM_UP_EPOCHS)
        return optuna.load_study(study_name=_STUDY, storage=journal, pruner=pruner)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


# --- A trial


def run_trial(job: Job, study: optuna.Study, seed: int) -> FrozenTrial:
    """Propose, train, judge, and report to the study; whatever goes wrong ends this trial only.

    Args:
        job: What to learn from.
        study: The search.
        seed: Of the proposal.
    """
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    trial = study.ask()
    trial.set_user_attr(PID, os.getpid())
    values = job.space.propose(trial)
    try:
        trained = _trained(job, trial, values)
        value = _value(job, trained.model)
    except optuna.TrialPruned:
        return study.tell(trial, state=TrialState.PRUNED)
    except (TrainingError, ChoiceError) as error:
        trial.set_user_attr(REASON, str(error))
        return study.tell(trial, state=TrialState.PRUNED)
    except KeyboardInterrupt:
        trial.set_user_attr(REASON, "interrupted")
        study.tell(trial, state=TrialState.FAIL)
        raise
    except Exception as error:
        if not _out_of_memory(error):
            raise
        trial.set_user_attr(REASON, "out of memory")
        return study.tell(trial, state=TrialState.FAIL)
    trial.set_user_attr(PARAMETERS, trained.parameters)
    trial.set_user_attr(EPOCHS, trained.epochs)
    return study.tell(trial, value)


def _trained(job: Job, trial: optuna.Trial, values: Mapping[str, int | float | str]) -> Trained:
    sign = 1.0 if job.objective == "loss" else -1.0
    epoch = 0

    def on_epoch(loss: float) -> None:
        nonlocal epoch
        epoch += 1
        trial.report(sign * loss, epoch)
        if trial.should_prune():
            trial.set_user_attr(EPOCHS, epoch)
            raise optuna.TrialPruned

    network = network_of(job.space.architecture, values)
    return train(job.learnt, job.checked, network, training_of(job.training, values), on_epoch)


def _value(job: Job, model: keras.Model) -> float:
    if job.objective == "loss":
        return float(np.mean(_errors(model, job.checked, job.training.loss)))
    errors = _errors(model, job.labelled, job.metric)
    measure = metrics.roc_auc_score if job.objective == "roc-auc" else metrics.average_precision_score
    return float(measure(job.truth, errors))


def _errors(model: keras.Model, features: FloatArray, metric: Loss) -> npt.NDArray[np.float64]:
    """Return the error of each window's reconstruction, shape (n_windows,)."""
    import keras

    errors = []
    for start in range(0, len(features), _BATCH):
        batch = np.asarray(features[start : start + _BATCH])
        residual = keras.ops.convert_to_numpy(model(batch, training=False)) - batch
        error = np.abs(residual) if metric == "mae" else residual**2
        errors.append(error.mean(axis=tuple(range(1, error.ndim)), dtype=np.float64))
    return np.concatenate(errors)


def _out_of_memory(error: Exception) -> bool:
    """Recognise memory that ran out by the words of numpy, TensorFlow, JAX and PyTorch."""
    names = ("ResourceExhausted", "OutOfMemory")
    return (
        isinstance(error, MemoryError)
        or any(name in type(error).__name__ for name in names)
        or "RESOURCE_EXHAUSTED" in str(error)
    )
