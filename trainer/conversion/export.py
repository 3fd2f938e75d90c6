"""The network that ships as files of its own, for whoever goes on with it; of a vae also both halves."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agent.inference.arrays import FloatArray
from trainer.conversion.converter import shared_converter
from trainer.errors import OutputError
from trainer.system.atomic import replacing, write_through

if TYPE_CHECKING:
    import keras


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written to, before anything is learnt.

    Raises:
        OutputError: If it is none, or there is none above it.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(folder, "is no folder; choose another --export-dir")
    if not folder.parent.is_dir():
        raise OutputError(folder, f"cannot be made: there is no folder {folder.parent}")


def export(model: keras.Model, name: str, representatives: FloatArray, folder: Path) -> list[Path]:
    """Write a network as Keras and as float32 TFLite files, and return them.

    NAME.keras is the network that was trained, sampling of a vae included, NAME.tflite what a gateway runs.
    NAME-encoder takes features and gives mean and log-variance, NAME-decoder takes latent vectors.

    Args:
        model: The network.
        name: Of the files.
        representatives: Features of some windows, shape (n_windows, *shape).
        folder: Where to; it is made if its own folder is there.

    Raises:
        ConversionError: If the converter fails.
        OutputError: If a file cannot be written.
    """
    check_folder(folder)
    contents: dict[str, bytes] = {}
    for part, network in _parts(model).items():
        contents[f"{name}{part}.keras"] = _saved(network)
        graph = shared_converter().convert(network, "float32", representatives)
        contents[f"{name}{part}.tflite"] = graph
    folder.mkdir(exist_ok=True)
    for file, content in contents.items():
        with replacing(folder / file) as draft:
            write_through(draft, content)
            draft.replace(folder / file)
    return sorted(folder / file for file in contents)


def _parts(model: keras.Model) -> Mapping[str, keras.Model]:
    if model.name != "vae":
        return {"": model}
    from trainer.networks.models.vae import halves

    two = halves(model)
    return {"": model, "-encoder": two.encoder, "-decoder": two.decoder}


def _saved(model: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory(prefix="judder-export-") as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()
