"""The loop over batches, one way for each of Keras' backends; nothing here imports Keras before it is needed.

Keras' own ``fit`` feeds one batch at a time, which takes many times as long as networks of this size. On
TensorFlow and JAX a whole epoch is one call into the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from agent.inference.arrays import FloatArray
from trainer.settings import Loss

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Learning:
    """What the loop needs to know."""

    loss: Loss
    batch_size: int
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule
    """Of Adam (Kingma and Ba 2015)."""


@dataclass(frozen=True)
class Loop:
    """Both functions take windows, shape (n_windows, *shape), and return the mean loss over them.

    The state lies in the variables of model and optimizer, whatever the backend, whenever neither runs.
    """

    learn: Callable[[FloatArray], float]
    """Learns from all batches once, in the order given."""
    check: Callable[[FloatArray], float]
    """Computes the loss only, without dropout and sampling."""
    model: keras.Model
    optimizer: keras.optimizers.Optimizer

    def state(self) -> list[Array]:
        """Return all that decides how learning goes on: weights, moments, and the states of dropout."""
        import keras

        return [np.array(keras.ops.convert_to_numpy(variable)) for variable in self._variables()]

    def restore(self, state: Sequence[Array]) -> None:
        """Put back what ``state`` returned."""
        for variable, value in zip(self._variables(), state, strict=True):
            variable.assign(value)

    def _variables(self) -> list[keras.Variable]:
        return [*self.model.trainable_variables, *self._others(), *self.optimizer.variables]

    def _others(self) -> list[keras.Variable]:
        measures = {id(variable) for variable in self.model.metrics_variables}
        return [variable for variable in self.model.non_trainable_variables if id(variable) not in measures]


def make_loop(model: keras.Model, learning: Learning) -> Loop:
    """Return the loop of the backend that Keras runs on.

    Args:
        model: Maps features to features of the same shape; its own losses are added.
        learning: How it learns.
    """
    import keras

    optimizer = keras.optimizers.Adam(learning.learning_rate)
    optimizer.build(model.trainable_variables)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from trainer.networks.loops.on_tensorflow import loop
    elif backend == "jax":
        from trainer.networks.loops.on_jax import loop
    else:
        from trainer.networks.loops.on_any import loop
    learn, check = loop(model, optimizer, learning)
    return Loop(learn, check, model, optimizer)
