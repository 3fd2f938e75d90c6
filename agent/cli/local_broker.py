"""An MQTT broker for the demo: the one on this machine, else a mosquitto of our own, else none."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

HOST = "127.0.0.1"
PORT = 1883
START_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class LocalBroker:
    """Where the demo's alerts go."""

    port: int
    answers: bool
    """False: nobody listens there, the alerts will wait in the outbox."""
    description: str
    """What the demo says about it."""


@contextmanager
def local_broker() -> Iterator[LocalBroker]:
    """Find a broker on localhost, or start mosquitto on a free port for as long as the context lasts."""
    mosquitto = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if _answers(PORT):
        yield LocalBroker(PORT, True, f"the broker on {HOST}:{PORT}")
    elif mosquitto is None:
        description = f"no broker on {HOST}:{PORT} and no mosquitto installed: the alerts wait in the outbox"
        yield LocalBroker(PORT, False, description)
    else:
        port = _free_port()
        process = subprocess.Popen(  # noqa: S603 - a fixed command
            [mosquitto, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            answers = _wait_until_it_answers(port)
            yield LocalBroker(port, answers, f"a mosquitto of the demo's own on {HOST}:{port}")
        finally:
            process.terminate()
            process.wait(START_TIMEOUT_S)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), timeout=0.5):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if _answers(port):
            return True
        time.sleep(0.05)
    return False
