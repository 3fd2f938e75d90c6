"""How long the published trainings take here, from the untrained network to the last epoch, compile included.

The perceptron and the stack of eleven LSTM layers are those of the robot-arm article, whose times on a GTX
1080 stand beside ours. Without that recording there is nothing to measure.

    KERAS_BACKEND=jax python -m benchmarks.training
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.inference.arrays import FloatArray
from agent.inference.window import WindowSpec, cut, window_starts
from firmware_bridge.recording import load_recording
from trainer.networks.training import train
from trainer.settings import NetworkSettings, TrainingSettings
from trainer.system.quiet import load_keras

_FILE = "robot_arm/normal_20170202_2229.csv"
_SHARE = 0.8


@dataclass(frozen=True)
class Published:
    """A training that somebody has timed."""

    name: str
    columns: tuple[str, ...]
    window: int
    network: NetworkSettings
    training: TrainingSettings
    seconds: float
    """On a GTX 1080."""


PUBLISHED = (
    Published(
        "MLP 16-8-16, window 25, 50 epochs",
        ("LinAccX",),
        25,
        NetworkSettings("dense", (16, 8, 16), activation="tanh", dropout=0.25),
        TrainingSettings(epochs=50, batch_size=256, learning_rate=1e-3),
        5.5,
    ),
    Published(
        "LSTM 11 x 50, window 10 x 3, 25 epochs",
        ("LinAccX", "LinAccY", "LinAccZ"),
        10,
        NetworkSettings("lstm", (50,) * 11),
        TrainingSettings(epochs=25, batch_size=256, learning_rate=1e-3, loss="mae"),
        33.0,
    ),
)


def main() -> None:
    """Print the times."""
    folder = Path(os.environ.get("JUDDER_DATA", Path(__file__).parents[2] / "shared" / "data"))
    print("\ntraining")
    if not (folder / _FILE).is_file():
        print(f"  no {_FILE} in {folder}; set JUDDER_DATA")
        return
    load_keras()
    print(f"  on {device()}")
    print(f"  {'':<40}{'windows':>9}{'seconds':>9}{'first epoch':>13}{'a GTX 1080':>12}")
    for published in PUBLISHED:
        features = windows(folder / _FILE, published.columns, published.window)
        whole_s, first_s = seconds(features, published)
        print(
            f"  {published.name:<40}{len(features):>9}{whole_s:>9.1f}{first_s:>13.1f}"
            f"{published.seconds:>12.1f}"
        )


def windows(path: Path, columns: Sequence[str], length: int) -> FloatArray:
    """Return a window for each row of the first 80 % of a recording, each axis scaled to 0..1."""
    recording = load_recording(path, columns=columns)
    samples = recording.samples[: round(_SHARE * len(recording.samples))]
    scaled = (samples - samples.min(axis=0)) / np.ptp(samples, axis=0)
    starts = window_starts([(0, len(scaled))], WindowSpec(length, 1))
    return np.ascontiguousarray(cut(scaled, starts, length))


def seconds(features: FloatArray, published: Published) -> tuple[float, float]:
    """Return how long a training takes, and its first epoch, in which the network is compiled."""
    begin = time.perf_counter()
    ends: list[float] = []
    train(
        features,
        None,
        published.network,
        published.training,
        lambda loss: ends.append(time.perf_counter()),
    )
    return time.perf_counter() - begin, ends[0] - begin


def device() -> str:
    """Return backend and processor that it computes on."""
    import keras

    backend = keras.backend.backend()
    name = _accelerator(backend)
    return f"{name or _processor()}, Keras {keras.__version__} on {backend}"


def _accelerator(backend: str) -> str | None:
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        return tf.config.experimental.get_device_details(found[0])["device_name"] if found else None
    if backend == "jax":
        import jax

        first = jax.devices()[0]
        return None if first.platform == "cpu" else str(first.device_kind)
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'processor'} x {os.cpu_count()}"


if __name__ == "__main__":
    main()
