"""Check-ins by thread for systemd's watchdog, and the notifications that systemd wants (sd_notify(3))."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from firmware_bridge.clock import NS_PER_S, Clock

logger = logging.getLogger(__name__)

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


@dataclass
class _CheckIn:
    max_age_s: float
    last_ns: int
    stale: bool = False


class Watchdog:
    """Tells systemd that the daemon is alive, but only while every registered thread has checked in.

    May be used from any thread.

    Args:
        notify: Where the notification goes, usually ``sd_notify``.
        clock: Source of the check-ins' ages.
    """

    def __init__(self, notify: Callable[[str], None], clock: Clock) -> None:
        self._notify = notify
        self._clock = clock
        self._lock = Lock()
        self._check_ins: dict[str, _CheckIn] = {}

    def register(self, name: str, max_age_s: float) -> None:
        """Expect check-ins of a thread from now on, at most ``max_age_s`` seconds apart."""
        with self._lock:
            self._check_ins[name] = _CheckIn(max_age_s, self._clock.monotonic_ns())

    def unregister(self, name: str) -> None:
        """Expect no more check-ins of a thread: it ended as it should."""
        with self._lock:
            self._check_ins.pop(name, None)

    def check_in(self, name: str) -> None:
        """Note that a thread makes progress; called by that thread. Unregistered names are ignored."""
        with self._lock:
            check_in = self._check_ins.get(name)
            if check_in is not None:
                check_in.last_ns = self._clock.monotonic_ns()

    def poll(self) -> bool:
        """Notify systemd if all threads are fresh; log the name of a thread that went stale, or came back.

        Returns:
            True if all are fresh.
        """
        with self._lock:
            fresh = [self._is_fresh(name, check_in) for name, check_in in self._check_ins.items()]
        if not all(fresh):
            return False
        self._notify(ALIVE)
        return True

    def _is_fresh(self, name: str, check_in: _CheckIn) -> bool:
        age_s = (self._clock.monotonic_ns() - check_in.last_ns) / NS_PER_S
        stale = age_s > check_in.max_age_s
        if stale and not check_in.stale:
            logger.error(
                "thread %s has been silent for %.1f s (at most %.1f s)", name, age_s, check_in.max_age_s
            )
        elif check_in.stale and not stale:
            logger.warning("thread %s is back", name)
        check_in.stale = stale
        return not stale


def sd_notify(state: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send a notification to systemd; does nothing when systemd did not start this process to notify.

    A notification that cannot be sent is logged, and the daemon goes on.

    Args:
        state: Such as ``READY``, or ``STATUS=...`` (see ``status``).
        environ: Holds ``NOTIFY_SOCKET``: a path, or an abstract socket when it begins with ``@``.
    """
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
            notifier.connect(address)
            notifier.sendall(state.encode())
    except OSError as error:
        logger.warning("cannot notify systemd at %s: %s", environ["NOTIFY_SOCKET"], error)


def status(text: str) -> str:
    """Return the notification that ``systemctl status`` shows as one line."""
    return "STATUS=" + " ".join(text.split())


def reloading(clock: Clock) -> str:
    """Return the notification that the configuration is being loaded again; ``READY`` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={clock.monotonic_ns() // 1000}"


def watchdog_interval_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how often to poll, in seconds: half of what systemd allows (sd_watchdog_enabled(3)).

    Args:
        environ: Holds ``WATCHDOG_USEC`` and ``WATCHDOG_PID``.

    Returns:
        Seconds, or None if systemd does not watch this process.
    """
    allowed_us = environ.get("WATCHDOG_USEC", "")
    watched = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not allowed_us.isdecimal() or int(allowed_us) == 0 or watched != str(os.getpid()):
        return None
    return int(allowed_us) / 1e6 / 2
