"""Keras and TensorFlow without their chatter."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from trainer.errors import BackendError

_STDOUT, _STDERR = 1, 2

# Python searches all objects for rubbish again and again as it ends; with TensorFlow's that takes seconds.
atexit.register(gc.freeze)


@contextlib.contextmanager
def diverted_output() -> Iterator[None]:
    """Throw away whatever is written to file descriptors 1 and 2.

    Python's own redirection would not do: the converter and the CUDA plug-ins write from C++, some of them
    whatever the log level. Failures come as exceptions.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {target: os.dup(target) for target in (_STDOUT, _STDERR)}
    with Path(os.devnull).open("wb") as sink:
        try:
            for target in kept:
                os.dup2(sink.fileno(), target)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for target, original in kept.items():
                os.dup2(original, target)
                os.close(original)


def load_tensorflow() -> None:
    """Import TensorFlow without a word, and make its operations repeatable."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with diverted_output():
        import tensorflow

        # Every network is its own graph, which it takes for a mistake.
        tensorflow.get_logger().setLevel("ERROR")
        tensorflow.config.experimental.enable_op_determinism()


def load_keras() -> None:
    """Import Keras with the backend that ``KERAS_BACKEND`` names, and make its operations repeatable.

    Raises:
        BackendError: If there is no such backend, or it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS is not repeatable
    try:
        with diverted_output():
            import keras
    except (ImportError, ValueError) as error:
        raise BackendError(
            f"Keras cannot run on the backend '{os.environ.get('KERAS_BACKEND', 'tensorflow')}' ({error}); "
            "set KERAS_BACKEND to tensorflow, jax or torch, whichever is installed"
        ) from error
    backend = keras.backend.backend()
    if backend == "tensorflow":
        load_tensorflow()
    elif backend == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
        if not torch.cuda.is_available() and "OMP_NUM_THREADS" not in os.environ:
            # In networks of this size threads wait for one another longer than they compute.
            torch.set_num_threads(1)
