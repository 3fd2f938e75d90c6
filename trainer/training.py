"""Training: the autoencoder learns to reproduce healthy windows, and stops when it no longer gets better."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trainer.errors import TrainingError
from trainer.loops import Learning, Loop, LossName, make_loop
from trainer.models import ARCHITECTURES, NetworkSettings, build_model, shipped_model, solve_model
from trainer.quiet import load_keras

if TYPE_CHECKING:
    import keras

FloatArray = npt.NDArray[np.float32]

Loss = LossName

EpochCallback = Callable[[float], None]
"""Called after each epoch with the validation loss; with the training loss where nothing is held out."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained."""

    epochs: int = 200
    """At most."""
    patience: int = 10
    """Epochs without a better validation loss after which training stops; the best weights are kept. Without
    validation windows all epochs are run, and the last weights are kept."""
    batch_size: int = 64
    learning_rate: float = 1e-3
    """Of Adam (Kingma and Ba 2015)."""
    seed: int = 0
    """Same seed and machine, same weights."""
    loss: Loss = "mse"
    """Mean squared or mean absolute error of the reconstructed features."""


@dataclass(frozen=True)
class History:
    """The learning curves: a loss for each epoch."""

    loss: tuple[float, ...] = ()
    """On the training windows, while the epoch learnt from them; with dropout and sampling."""
    validation_loss: tuple[float, ...] = ()
    """On the validation windows after each epoch; empty if there are none."""

    @property
    def told(self) -> tuple[float, ...]:
        """The losses that the best epoch is chosen by."""
        return self.validation_loss or self.loss

    def then(self, loss: float, validation_loss: float | None) -> History:
        """Return the curves with one more epoch."""
        later = () if validation_loss is None else (validation_loss,)
        return History((*self.loss, loss), (*self.validation_loss, *later))


@dataclass(frozen=True)
class Trained:
    """A trained network."""

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
        return self.history.told[self.best_epoch - 1]


def train(
    features: FloatArray,
    validation: FloatArray | None,
    network: NetworkSettings,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
) -> Trained:
    """Train an autoencoder, or solve it if its architecture has a closed form.

    Args:
        features: Of the training windows, shape (n_windows, *shape).
        validation: Of the validation windows, likewise; None to run exactly ``settings.epochs`` epochs and
            keep the last weights.
        network: What it looks like.
        settings: How it is trained.
        on_epoch: Told of the progress.

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
    best_epoch, history = _run(model, features, validation, settings, on_epoch)
    return Trained(shipped_model(network, model), _parameters(model), best_epoch, history)


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
    on_epoch(history.told[-1])
    return Trained(model, _parameters(model), 1, history)


def _parameters(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def _run(
    model: keras.Model,
    features: FloatArray,
    validation: FloatArray | None,
    settings: TrainingSettings,
    on_epoch: EpochCallback,
) -> tuple[int, History]:
    """Train the model, leave the best weights in it, and return the best epoch and the curves."""
    loop = _loop(model, settings)
    shuffler = np.random.default_rng(settings.seed)
    history = History()
    best_epoch, best_weights = 0, model.get_weights()
    for epoch in range(1, settings.epochs + 1):
        loss = _finite(loop.learn(features[shuffler.permutation(len(features))]))
        history = history.then(loss, None if validation is None else _finite(loop.check(validation)))
        on_epoch(history.told[-1])
        if validation is None:
            best_epoch = epoch
        elif history.told[-1] < min(history.told[:-1], default=math.inf):
            best_epoch, best_weights = epoch, model.get_weights()
        elif epoch - best_epoch >= settings.patience:
            break
    if validation is not None:
        model.set_weights(best_weights)
    return best_epoch, history


def _loop(model: keras.Model, settings: TrainingSettings) -> Loop:
    return make_loop(model, Learning(settings.loss, settings.batch_size, settings.learning_rate))


def _finite(loss: float) -> float:
    if not math.isfinite(loss):
        raise TrainingError("training diverges: the loss is no longer finite; lower --learning-rate")
    return float(loss)
