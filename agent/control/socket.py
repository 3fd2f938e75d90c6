"""The one door for commands: JSON lines over a Unix socket, one request and one reply per connection.

    {"command": "status"}                                    {"ok": true, "result": {...}}
    {"command": "acknowledge", "alert_id": "0199", ...}      {"ok": false, "error": "..."}

Who may knock: root, the user who runs the daemon, and the members of the socket's group. The kernel sees to
that by the socket's mode 0660; the peer's credentials are checked once more, in case somebody widened it.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import socket
import stat
import struct
import time
from pathlib import Path
from threading import Event, Thread
from typing import Self

from agent.control.commands import Commands, Json, refusal
from agent.decode import DecodeError, parse_json
from agent.errors import ControlError

logger = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
PROBE_TIMEOUT_S = 5.0
RETRY_S = 0.5
_UCRED = struct.Struct("3i")  # struct ucred: pid, uid, gid; see unix(7)


class ControlServer:
    """Answers the clients of the socket, one after the other, in a thread of its own.

    A context manager; ``close`` may be called twice.

    Args:
        path: The socket; what a dead daemon left there is replaced.
        commands: Answers the requests, in the server's thread.
        client_timeout_s: How many seconds one client may keep the others waiting, each way.

    Raises:
        ControlError: If a live daemon answers there, or the socket cannot be made.
    """

    def __init__(self, path: Path, commands: Commands, client_timeout_s: float = 5.0) -> None:
        self._path = path
        self._client_timeout_s = client_timeout_s
        self._commands = commands
        self._stop = Event()
        _remove_stale(path)
        self._listener = _listen(path)
        self._thread = Thread(target=self._run, name="control", daemon=True)

    def start(self) -> None:
        """Start to answer; once."""
        self._thread.start()

    def close(self) -> None:
        """Answer the client at hand, end the thread and remove the socket."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        if self._thread.is_alive():
            self._thread.join(3 * self._client_timeout_s)
        if self._thread.is_alive():
            logger.error("the control thread did not stop")
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError as error:  # woken by close, or out of file descriptors
                if not self._stop.wait(RETRY_S):
                    logger.warning("a control client cannot be accepted: %s", error)
                continue
            with client:
                try:
                    self._serve(client)
                except OSError as error:  # the client is gone, or too slow
                    logger.debug("control client: %s", error)

    def _serve(self, client: socket.socket) -> None:
        try:
            line = _read_line(client, self._client_timeout_s, MAX_REQUEST_BYTES)
            if not _is_allowed(client, self._path):
                raise ControlError("not allowed; run as root or join the group of the socket")
        except ControlError as error:
            reply = refusal(error)
        else:
            reply = self._commands.answer(line)
        client.settimeout(self._client_timeout_s)
        client.sendall(json.dumps(reply).encode() + b"\n")


def request(path: Path, command: str, *, timeout_s: float = 10.0, **arguments: Json) -> Json:
    """Ask the running daemon, and return the result.

    Args:
        path: The daemon's socket.
        command: What to do.
        timeout_s: Limit of each step, in seconds.
        arguments: Of the command, with JSON types.

    Raises:
        ControlError: If no daemon answers, or it answers with an error.
    """
    message = json.dumps({"command": command, **arguments}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout_s)
            client.connect(str(path))
            client.sendall(message)
            reply: Json = parse_json(_read_line(client, timeout_s))
    except OSError as error:
        raise ControlError(_explained(error, path, timeout_s)) from error
    except DecodeError as error:
        raise ControlError(f"{path}: the reply is {error}; is it judder's socket?") from error
    match reply:
        case {"ok": True, "result": result}:
            return result
        case {"ok": False, "error": str(text)}:
            raise ControlError(text)
    raise ControlError(f"{path}: not a reply of judder; is it judder's socket?")


def _read_line(connection: socket.socket, timeout_s: float, limit: int | None = None) -> bytes:
    """Return the bytes up to the end of the line, or of the connection."""
    deadline_s = time.monotonic() + timeout_s
    line = bytearray()
    while not line.endswith(b"\n"):
        connection.settimeout(max(deadline_s - time.monotonic(), 1e-3))
        chunk = connection.recv(65536)
        if not chunk:
            break
        line += chunk
        if limit is not None and len(line) > limit:
            raise ControlError(f"the request is longer than {limit} bytes")
    return bytes(line)


def _remove_stale(path: Path) -> None:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ControlError(f"{path}: is not a socket; remove it, or configure another place")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_TIMEOUT_S)
            probe.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        logger.info("removing the socket %s of a daemon that is gone", path)
        path.unlink(missing_ok=True)
        return
    except OSError as error:
        raise ControlError(f"{path}: {error.strerror or error}; is judder running already?") from error
    raise ControlError(f"{path}: judder is already running; stop it first ('systemctl stop judder')")


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o660)  # before it listens, so that nobody slips in
        listener.listen()
    except OSError as error:
        listener.close()
        raise ControlError(f"{path}: {error.strerror or error}; check that its folder exists") from error
    return listener


def _is_allowed(client: socket.socket, path: Path) -> bool:
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    _, uid, gid = _UCRED.unpack(credentials)
    if uid in (0, os.geteuid()):
        return True
    try:
        groups = os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)
    except KeyError:  # a user that the system does not know
        groups = [gid]
    return path.stat().st_gid in groups


def _explained(error: OSError, path: Path, timeout_s: float) -> str:
    match error:
        case FileNotFoundError():
            return f"judder is not running: no socket at {path}; start it with 'systemctl start judder'"
        case ConnectionRefusedError():
            return f"judder is not running: nobody answers at {path}; start it with 'systemctl start judder'"
        case PermissionError():
            return f"{path}: permission denied; run as root or join the group of the socket"
        case TimeoutError():
            return f"{path}: no answer within {timeout_s:g} s; see the log of judder"
    return f"{path}: {error.strerror or error}; see the log of judder"
