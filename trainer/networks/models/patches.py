"""The waveform network: a convolutional autoencoder of short patches, several folds trained at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.features import PatchFeatures
from trainer.errors import TrainingError
from trainer.networks.checkpoint import Slot, Snapshot
from trainer.networks.loops import Learning, make_loop
from trainer.system.quiet import load_keras

if TYPE_CHECKING:
    import keras


UNITS = 128
BATCH = 256
LEARNING_RATE = 0.003
WARM_UP_STEPS = 50
REPORTS = 100
"""Reports of the progress in a whole training."""
MIN_STEPS = 8_000
MAX_PATCHES = 20_000
PATCH_STEP = 2
_PATCH = 32
_STRIDES_PER_PATCH = 8
_MOST_PATCHES = 64
"""Patches per window, about: more would cost a gateway time and teach it nothing new."""


def patch_features(scale_g: tuple[float, ...], length: int) -> PatchFeatures:
    """Return the features: patches of 32 samples, or half a window if that is less.

    They follow each other at an eighth of their length, or further apart in a long window.
    """
    patch = min(_PATCH, length // 2)
    stride = max(patch // _STRIDES_PER_PATCH, math.ceil((length - patch) / _MOST_PATCHES), 1)
    return PatchFeatures("patches", scale_g, patch, stride)


def layer_sizes(patch: int, n_axes: int) -> list[int]:
    """Return the widths: patch of samples, encoder, bottleneck of n_axes + 3, decoder, patch again."""
    return [patch * n_axes, UNITS, n_axes + 3, UNITS, patch * n_axes]


def choose_patches(features: FloatArray, patch: int) -> FloatArray:
    """Return at most ``MAX_PATCHES`` patches, evenly taken, shape (n_patches, patch x n_axes).

    Args:
        features: Scaled windows, shape (n_windows, length, n_axes).
        patch: Samples per patch.
    """
    view = np.lib.stride_tricks.sliding_window_view(features, patch, axis=1)[:, ::PATCH_STEP]
    n_windows, per_window, n_axes, _ = view.shape
    total = n_windows * per_window
    chosen = np.unique(np.linspace(0, total - 1, min(total, MAX_PATCHES)).astype(int))
    patches = view[chosen // per_window, chosen % per_window]
    return np.ascontiguousarray(patches.transpose(0, 2, 1)).reshape(len(chosen), patch * n_axes)


def enough_steps(n_samples: int) -> int:
    """Return in how many steps each patch of so many samples is drawn about ``BATCH`` times.

    Short recordings get ``MIN_STEPS``; more would only teach them by heart.
    """
    return min(max(n_samples // PATCH_STEP, MIN_STEPS), MAX_PATCHES)


def train_folds(
    chosen: Sequence[FloatArray],
    features: PatchFeatures,
    steps: int,
    seed: int,
    on_report: Callable[[float], None],
    slot: Slot | None = None,
) -> tuple[list[list[FloatArray]], float]:
    """Train one network per set of patches, all in the same steps.

    Args:
        chosen: For each network its patches, shape (n_patches, patch x n_axes).
        features: Patch length and axes.
        steps: At least ``REPORTS``.
        seed: Of weights and batches.
        on_report: Called with the mean loss, ``REPORTS`` times, those before an interrupt included.
        slot: Where the training is kept on its way, and goes on from; None to begin and keep nothing.

    Returns:
        For each network kernel and bias of each layer, shapes (in, out) and (out,); and the final loss.

    Raises:
        TrainingError: If the loss is no longer finite.
    """
    run = _Run(chosen, layer_sizes(features.patch, len(features.scale_g)), steps, seed)
    if slot is not None and slot.found is not None:
        run.restore(slot.found)
        for loss in run.losses:
            on_report(loss)
    while not run.over:
        run.report()
        on_report(run.losses[-1])
        if slot is not None:
            slot.keep(run.snapshot, run.over)
    weights = [np.asarray(weight) for weight in run.loop.model.get_weights()]
    return [[weight[fold] for weight in weights] for fold in range(len(chosen))], run.losses[-1]


class _Run:
    """A training of all folds under way, in ``REPORTS`` rounds of as many steps, but for one, each."""

    def __init__(self, chosen: Sequence[FloatArray], sizes: Sequence[int], steps: int, seed: int) -> None:
        load_keras()
        import keras

        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        self._chosen = chosen
        self._steps = steps
        self._random = np.random.default_rng(seed)
        model = _folded_model(len(chosen), sizes, self._random)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(steps - WARM_UP_STEPS, 1), warmup_target=LEARNING_RATE, warmup_steps=WARM_UP_STEPS
        )
        self.loop = make_loop(model, Learning("mse", BATCH, schedule))
        self.losses: list[float] = []

    @property
    def over(self) -> bool:
        """True after the last round."""
        return len(self.losses) >= REPORTS

    def report(self) -> None:
        """Go on to the next report."""
        done = len(self.losses)
        steps = (done + 1) * self._steps // REPORTS - done * self._steps // REPORTS
        drawn = [part[self._random.integers(0, len(part), steps * BATCH)] for part in self._chosen]
        loss = self.loop.learn(np.stack(drawn, axis=1))
        if not math.isfinite(loss):
            raise TrainingError("training diverges: the loss is no longer finite; look at the recordings")
        self.losses.append(loss)

    def snapshot(self) -> Snapshot:
        """Return all that decides how the training goes on."""
        document = {"losses": list(self.losses), "random": self._random.bit_generator.state}
        return Snapshot(document, self.loop.state())

    def restore(self, snapshot: Snapshot) -> None:
        """Go on where the snapshot was taken."""
        self.losses = list(snapshot.document["losses"])
        self._random.bit_generator.state = snapshot.document["random"]
        self.loop.restore(snapshot.arrays)


def _folded_model(folds: int, sizes: Sequence[int], random: np.random.Generator) -> keras.Model:
    """Return the networks side by side, as one; for each fold its own weights (Glorot and Bengio 2010)."""
    import keras

    layer = first = keras.Input((folds, sizes[0]))
    weights: list[FloatArray] = []
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        layer = keras.layers.EinsumDense(
            "bfi,fio->bfo", (folds, fan_out), bias_axes="fo", activation=_activation(index)
        )(layer)
        limit = math.sqrt(6.0 / (fan_in + fan_out))
        weights.append(random.uniform(-limit, limit, (folds, fan_in, fan_out)).astype(np.float32))
        weights.append(np.zeros((folds, fan_out), np.float32))
    model = keras.Model(first, layer)
    model.set_weights(weights)
    return model


def _activation(index: int) -> str | None:
    """Return the activation of a layer: bottleneck and output are linear.

    The surface that healthy patches lie on is smooth; a network of straight pieces follows it less well, and
    how well depends on its first weights.
    """
    return "silu" if index % 2 == 0 else None


def convolutional(weights: Sequence[FloatArray], features: PatchFeatures, length: int) -> keras.Model:
    """Return the network that runs over a whole window with the weights of one fold.

    Args:
        weights: Kernel and bias of each layer, as ``train_folds`` gives them.
        features: Patch and stride, in samples.
        length: Samples per window.
    """
    import keras

    n_axes = len(features.scale_g)
    sizes = layer_sizes(features.patch, n_axes)[1:]
    # Names of its own: Keras would count on, and the same weights would give another file.
    layer = first = keras.Input((length, n_axes), name="window")
    for index, units in enumerate(sizes):
        layer = keras.layers.Conv1D(
            units,
            features.patch if index == 0 else 1,
            name=f"layer{index}",
            strides=features.stride if index == 0 else 1,
            activation=_activation(index),
        )(layer)
    model = keras.Model(first, layer, name="waveform")
    kernels = [
        weight.reshape(features.patch, n_axes, -1) if index == 0 else weight
        for index, weight in enumerate(weights)
    ]
    model.set_weights([kernel[np.newaxis] if kernel.ndim == 2 else kernel for kernel in kernels])
    return model
