"""A process of our own that is asked in lines of JSON, and whose crash is an answer, too."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Self


class ChildDied(Exception):  # noqa: N818 - what happened, not whose fault it is
    """The process ended instead of answering.

    Attributes:
        out_of_memory: True if it was killed as the kernel kills when memory runs out.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}")
        self.out_of_memory = code == -signal.SIGKILL


class Child:
    """A module that reads requests from its standard input, a line each, and answers on its standard output.

    A context manager. It ends when it is closed, or when this process is no more: then its input ends.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        """Prepare; nothing is started yet.

        Args:
            module: Name of the module.
            environment: Added to that of this process.
        """
        self._module = module
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the process unless it runs; do not wait for it."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # Without the working directory, where a file could have the name of a library.
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={**os.environ, **self._environment},
            start_new_session=True,  # Ctrl-C is for us
        )

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            ChildDied: If the process ends before it answers.
        """
        self.start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            code = process.wait()
            self.close()
            raise ChildDied(code)
        answered: dict[str, Any] = json.loads(answer)
        return answered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kill(self) -> None:
        """End the process while another thread waits for its answer; that one learns of its death."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End the process; may be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        # What it was asked and has not read is lost with it.
        with contextlib.suppress(BrokenPipeError), process:
            pass
