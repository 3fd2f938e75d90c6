"""TensorFlow without its chatter."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_STDOUT, _STDERR = 1, 2


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
    """Import TensorFlow and Keras without a word, and make their operations repeatable."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with diverted_output():
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()
