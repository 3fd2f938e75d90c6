"""The converter's process: started once, asked again and again, and survived when it crashes."""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from trainer.conversion import GRAPH, MODEL, REPRESENTATIVES
from trainer.errors import ConversionError

if TYPE_CHECKING:
    import keras

FloatArray = npt.NDArray[np.float32]


class Converter:
    """A child process with TensorFlow, whatever backend this one trains on.

    It takes some seconds to start, so it is started before it is needed. It ends when it is closed, or
    when this process is no more.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process unless it runs; do not wait for it.

        Raises:
            ConversionError: If TensorFlow is not installed.
        """
        if self._process is not None and self._process.poll() is None:
            return
        if importlib.util.find_spec("tensorflow") is None:
            raise ConversionError("TensorFlow is not installed, and only it converts to TFLite; install it")
        self._process = subprocess.Popen(
            # Without the working directory, where a file could have the name of a library.
            [sys.executable, "-P", "-m", "trainer.conversion"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,  # Ctrl-C is for us
        )

    def convert(self, model: keras.Model, quantization: str, representatives: FloatArray) -> bytes:
        """Return the model as a TFLite graph.

        Args:
            model: A Keras model, on whatever backend.
            quantization: One of ``QUANTIZATIONS``.
            representatives: Features, shape (n_windows, *shape).

        Raises:
            ConversionError: If the converter fails or crashes, or its graph would crash a gateway.
        """
        with tempfile.TemporaryDirectory(prefix="judder-convert-") as name:
            folder = Path(name)
            model.save(folder / MODEL)
            np.save(folder / REPRESENTATIVES, representatives)
            error = self._ask(folder, quantization)
            if error:
                raise ConversionError(error)
            return (folder / GRAPH).read_bytes()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        # What it was asked and has not read is lost with it.
        with contextlib.suppress(BrokenPipeError), process:
            pass

    def _ask(self, folder: Path, quantization: str) -> str | None:
        self.start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"folder": str(folder), "quantization": quantization}) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            return self._crashed(process, quantization)
        error: str | None = json.loads(answer)["error"]
        return error

    def _crashed(self, process: subprocess.Popen[str], quantization: str) -> str:
        code = process.wait()
        self.close()
        how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        reason = "; is there enough memory?" if code == -signal.SIGKILL else "; choose another --quantize"
        return f"the converter crashed ({how}) making the model {quantization}{reason}"


@functools.cache
def shared_converter() -> Converter:
    """Return the one converter of this process."""
    converter = Converter()
    atexit.register(converter.close)
    return converter
