"""The converter's process: started once, asked again and again, and survived when it crashes."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent.inference.arrays import FloatArray
from trainer.conversion.worker import GRAPH, MODEL, REPRESENTATIVES
from trainer.errors import ConversionError
from trainer.system.child import Child, ChildDied

if TYPE_CHECKING:
    import keras


class Converter:
    """A process with TensorFlow, whatever backend this one trains on.

    It takes some seconds to start, so it is started before it is needed.
    """

    def __init__(self) -> None:
        self.child = Child(
            "trainer.conversion.worker", {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""}
        )

    def start(self) -> None:
        """Start the process unless it runs; do not wait for it.

        Raises:
            ConversionError: If TensorFlow is not installed.
        """
        if importlib.util.find_spec("tensorflow") is None:
            raise ConversionError("TensorFlow is not installed, and only it converts to TFLite; install it")
        self.child.start()

    def convert(self, model: keras.Model, quantization: str, representatives: FloatArray) -> bytes:
        """Return the model as a TFLite graph.

        Args:
            model: A Keras model, on whatever backend.
            quantization: One of ``QUANTIZATIONS``.
            representatives: Features, shape (n_windows, *shape).

        Raises:
            ConversionError: If the converter fails or crashes, or its graph would crash a gateway.
        """
        self.start()
        with tempfile.TemporaryDirectory(prefix="judder-convert-") as name:
            folder = Path(name)
            model.save(folder / MODEL)
            np.save(folder / REPRESENTATIVES, representatives)
            try:
                error = self.child.ask({"folder": name, "quantization": quantization})["error"]
            except ChildDied as death:
                reason = "is there enough memory?" if death.out_of_memory else "choose another --quantize"
                error = f"the converter crashed ({death}) making the model {quantization}; {reason}"
            if error:
                raise ConversionError(error)
            return (folder / GRAPH).read_bytes()

    def close(self) -> None:
        """End the process."""
        self.child.close()


@functools.cache
def shared_converter() -> Converter:
    """Return the one converter of this process."""
    converter = Converter()
    atexit.register(converter.close)
    return converter
