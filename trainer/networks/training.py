"""Training: the autoencoder learns to reproduce healthy windows, and stops when it no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from trainer.errors import TrainingError
from trainer.networks.checkpoint import Slot, Snapshot
from trainer.networks.loops import Learning, Loop, make_loop
from trainer.networks.models import ARCHITECTURES, build_model, shipped_model, solve_model
from trainer.settings import NetworkSettings, TrainingSettings
from trainer.system.quiet import load_keras

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]

EpochCallback = Callable[[float], None]
"""Called after each epoch with the validation loss; with the training loss where nothing is held out."""


@dataclass(frozen=True)
class History:
    """The learning curves: a loss for each epoch."""

    loss: tuple[float, ...] = ()
    """On the training windows, while the epoch learnt from them; with dropout and sampling."""
    validation_loss: tuple[float, ...] = ()
    """On the validation windows after each epoch; empty if there are none."""

    @property
    def deciding(self) -> tuple[float, ...]:
        """The losses that the best epoch is chosen by."""
        return self.validation_loss or self.loss

    def then(self, loss: float, validation_loss: float | None) -> History:
        """Return the curves with one more epoch."""
        later = () if validation_loss is None else (validation_loss,)
        return History((*self.loss, loss), (*self.validation_loss, *later))


@dataclass(frozen=True)
class TrainingRecord:
    """What training came to."""

    parameters: int
    epochs: int
    """Run at most, by any fold; steps of the default network."""
    best_epoch: int
    """After which the networks without a fold did best, in the median; the one that ships stops there."""
    loss: float | None
    """Of the network that ships, on what it learnt from; None for an imported one."""
    validation_loss: float | None
    """Of the networks without a fold on held-out windows, their mean; None where none stops the training."""
    history: History = field(default_factory=History)
    """Learning curves of a typical fold; of the default network's reports."""


@dataclass(frozen=True)
class Trained:
    """A trained network, for features of shape (n_windows, *shape)."""

    model: keras.Model
    """The Keras model to convert, with the weights of the best epoch."""
    parameters: int
    best_epoch: int
    history: History

    @property
    def epochs(self) -> int:
        """Epochs run."""
        return len(self.history.loss)

    @property
    def loss(self) -> float:
        """Error of reconstruction, and divergence of a vae, on the training windows over the best epoch."""
        return self.history.loss[self.best_epoch - 1]

    @property
    def validation_loss(self) -> float:
        """On the validation windows, without dropout and sampling; the training loss if there are none."""
        return self.history.deciding[self.best_epoch - 1]


def train(
    features: FloatArray,
    validation: FloatArray | None,
    network: NetworkSettings,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
    slot: Slot | None = None,
) -> Trained:
    """Train an autoencoder, or solve it if its architecture has a closed form.

    Args:
        features: Of the training windows, shape (n_windows, *shape).
        validation: Of the validation windows, likewise; None to run exactly ``settings.epochs`` epochs and
            keep the last weights.
        network: What it looks like.
        settings: How it is trained.
        on_epoch: Called with the loss of each epoch, those before an interrupt included.
        slot: Where the training is kept on its way, and goes on from; None to begin and keep nothing.

    Raises:
        TrainingError: If the loss is no longer finite.
        ChoiceError: If the network cannot be built for features of this shape.
    """
    load_keras()
    import keras

    keras.utils.clear_session()  # Keras' running numbers end up in the graph
    keras.utils.set_random_seed(settings.seed)
    if ARCHITECTURES[network.architecture].closed_form:
        return _solved(features, validation, network, settings, on_epoch)
    model = build_model(network, (features.shape[1], features.shape[2]))
    run = _Run(_loop(model, settings), settings, held_out=validation is not None)
    if slot is not None and slot.found is not None:
        run.restore(slot.found)
        for loss in run.history.deciding:
            on_epoch(loss)
    while not run.over:
        run.epoch(features, validation)
        on_epoch(run.history.deciding[-1])
        if slot is not None:
            slot.keep(run.snapshot, run.over)
    model.set_weights(run.best_weights)
    return Trained(shipped_model(network, model), _parameters(model), run.best_epoch, run.history)


def _solved(
    features: FloatArray,
    validation: FloatArray | None,
    network: NetworkSettings,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
) -> Trained:
    model = solve_model(network, features, validation)
    check = _loop(model, settings).check
    checked = None if validation is None else _finite(check(validation))
    history = History().then(_finite(check(features)), checked)
    on_epoch(history.deciding[-1])
    return Trained(model, _parameters(model), 1, history)


def _parameters(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


class _Run:
    """A training under way."""

    def __init__(self, loop: Loop, settings: TrainingSettings, held_out: bool) -> None:
        self._loop = loop
        self._settings = settings
        self._held_out = held_out
        self._shuffler = np.random.default_rng(settings.seed)
        self.history = History()
        self.best_epoch = 0
        self.best_weights: list[Array] = []

    @property
    def over(self) -> bool:
        """True if there is nothing more to learn."""
        epochs = len(self.history.loss)
        patient = not self._held_out or epochs - self.best_epoch < self._settings.patience
        return epochs >= self._settings.epochs or not patient

    def epoch(self, features: FloatArray, validation: FloatArray | None) -> None:
        """Learn from all windows once more, features of shape (n_windows, *shape)."""
        loss = _finite(self._loop.learn(features[self._shuffler.permutation(len(features))]))
        checked = None if validation is None else _finite(self._loop.check(validation))
        least = min(self.history.deciding, default=math.inf)
        self.history = self.history.then(loss, checked)
        if checked is None or checked < least:
            self.best_epoch = len(self.history.loss)
            self.best_weights = self._loop.model.get_weights()

    def snapshot(self) -> Snapshot:
        """Return all that decides how the training goes on; only the outcome when it is over."""
        document = {
            "loss": self.history.loss,
            "validation_loss": self.history.validation_loss,
            "best_epoch": self.best_epoch,
            "shuffler": self._shuffler.bit_generator.state,
        }
        return Snapshot(document, [*self.best_weights, *([] if self.over else self._loop.state())])

    def restore(self, snapshot: Snapshot) -> None:
        """Go on where the snapshot was taken."""
        document, arrays = snapshot.document, snapshot.arrays
        self.history = History(tuple(document["loss"]), tuple(document["validation_loss"]))
        self.best_epoch = document["best_epoch"]
        self._shuffler.bit_generator.state = document["shuffler"]
        count = len(self._loop.model.weights)
        self.best_weights = list(arrays[:count])
        if not self.over:
            self._loop.restore(arrays[count:])


def _loop(model: keras.Model, settings: TrainingSettings) -> Loop:
    return make_loop(model, Learning(settings.loss, settings.batch_size, settings.learning_rate))


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainingError("training diverges: the loss is no longer finite; lower --learning-rate")
    return float(loss)
