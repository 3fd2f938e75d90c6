"""The control socket: requests, refusals, and who may speak."""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.control.commands import Commands, Handler, Json
from agent.control.socket import ControlServer, request
from agent.errors import ControlError, StoreError
from firmware_bridge.errors import SensorError
from tests.waiting import DEADLINE_S

NOBODY = 65534


def refuse(arguments: Mapping[str, Any]) -> Json:
    raise StoreError(Path("judder.db"), f"no alert '{arguments['alert_id']}'")


def fail(arguments: Mapping[str, Any]) -> Json:
    raise ZeroDivisionError


def self_test(arguments: Mapping[str, Any]) -> Json:
    raise SensorError("the chip is another one")


HANDLERS: dict[str, Handler] = {
    "status": lambda arguments: {"version": "0.1.0", "sensors": ["motor"]},
    "echo": lambda arguments: dict(arguments),
    "nothing": lambda arguments: None,
    "large": lambda arguments: "x" * 1_000_000,
    "acknowledge": refuse,
    "self-test": self_test,
    "fail": fail,
    "unanswerable": lambda arguments: float("nan"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    with ControlServer(path, Commands("control socket", HANDLERS)) as server:
        yield server


def exchange(path: Path, sent: bytes) -> Any:
    """Send bytes as they are and return the reply."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE_S)
        client.connect(str(path))
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert received.endswith(b"\n")
    return json.loads(received)


@pytest.mark.usefixtures("server")
def test_a_command_and_its_result(path: Path) -> None:
    assert request(path, "status") == {"version": "0.1.0", "sensors": ["motor"]}
    assert request(path, "echo", level="alarm", limit=3, of=None) == {
        "level": "alarm",
        "limit": 3,
        "of": None,
    }
    assert request(path, "nothing") is None
    assert request(path, "large") == "x" * 1_000_000


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("acknowledge", r"^judder\.db: no alert '01'$"),
        ("self-test", "^the chip is another one$"),
        ("fail", "^internal error; see the log of judder$"),
        ("unanswerable", "JSON"),
        ("reboot", "^unknown command 'reboot'; known are acknowledge, echo, "),
    ],
)
def test_a_command_that_fails(path: Path, command: str, message: str) -> None:
    with pytest.raises(ControlError, match=message):
        request(path, command, alert_id="01")
    assert request(path, "nothing") is None


@pytest.mark.usefixtures("server")
def test_a_handler_that_fails_unexpectedly_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ControlError):
        request(path, "fail")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"status\n", "the request is not JSON"),
        (b"\xff\xfe\n", "the request is not JSON"),
        (b"", "the request is not JSON"),
        (b"[]\n", "the request has no command"),
        (b'{"command": 7}\n', "the request has no command"),
        (b'{"command": "' + b"x" * 65536, "the request is longer than 65536 bytes"),
    ],
)
def test_a_malformed_request_is_answered(path: Path, sent: bytes, error: str) -> None:
    reply = exchange(path, sent)
    assert reply["ok"] is False
    assert error in reply["error"]
    assert request(path, "nothing") is None


@pytest.mark.usefixtures("server")
def test_a_request_needs_no_end_of_line(path: Path) -> None:
    assert exchange(path, b'{"command": "nothing"}') == {"ok": True, "result": None}


@pytest.mark.usefixtures("server")
def test_a_client_that_goes_away_disturbs_nobody(path: Path) -> None:
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(path))
            client.sendall(b'{"command": "large"}\n')
    assert request(path, "nothing") is None


def test_a_client_that_dawdles_is_dropped_without_a_fuss(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = ControlServer(path, Commands("control socket", HANDLERS), client_timeout_s=0.2)
    with server, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE_S)
        client.connect(str(path))
        client.sendall(b'{"command": ')
        assert client.recv(100) == b""
        assert request(path, "nothing") is None
    assert not caplog.records


def test_nobody_answers(path: Path) -> None:
    with pytest.raises(ControlError, match=r"judder is not running: no socket at .*control\.sock; start it"):
        request(path, "status")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match=r"judder is not running: nobody answers at"):
        request(path, "status")


def test_a_daemon_that_hangs(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as hanging:
        hanging.bind(str(path))
        hanging.listen()
        with pytest.raises(ControlError, match=r"no answer within 0\.1 s"):
            request(path, "status", timeout_s=0.1)


@pytest.mark.parametrize("reply", [b"hello\n", b"{}\n", b"[1]\n", b""])
def test_somebody_else_answers(path: Path, reply: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ControlError, match="is it judder's socket"):
            request(path, "status")
        thread.join()


@pytest.mark.usefixtures("server")
def test_a_second_daemon_is_refused(path: Path) -> None:
    with pytest.raises(ControlError, match="judder is already running"):
        ControlServer(path, Commands("control socket", HANDLERS))
    assert request(path, "nothing") is None


def test_the_socket_of_a_dead_daemon_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with ControlServer(path, Commands("control socket", HANDLERS)):
        assert request(path, "nothing") is None
    assert not path.exists()


def test_a_file_in_the_way_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(ControlError, match="is not a socket"):
        ControlServer(path, Commands("control socket", HANDLERS))
    assert path.read_text() == "mine"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"absent/control\.sock: .*check that its folder exists"):
        ControlServer(tmp_path / "absent" / "control.sock", Commands("control socket", HANDLERS))


def test_close_may_come_twice_and_without_a_start(path: Path) -> None:
    server = ControlServer(path, Commands("control socket", HANDLERS))
    server.close()
    server.close()
    assert not path.exists()


@pytest.mark.usefixtures("server")
def test_owner_and_group_may_use_the_socket(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


@pytest.fixture
def public_path() -> Iterator[Path]:
    """Yield a place that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name) / "control.sock"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("mode", "group", "outcome"),
    [
        (0o660, 0, "permission denied"),  # by the kernel
        (0o666, 0, "not allowed"),  # by the daemon: somebody widened the mode
        (0o660, NOBODY, None),
    ],
)
def test_strangers_are_refused_and_the_group_is_not(
    public_path: Path, mode: int, group: int, outcome: str | None
) -> None:
    server = ControlServer(public_path, Commands("control socket", HANDLERS))
    public_path.chmod(mode)
    os.chown(public_path, 0, group)
    try:
        error = asked_by_nobody(server, public_path)
    finally:
        server.close()
    assert (error is None) if outcome is None else (error is not None and outcome in error)


def asked_by_nobody(server: ControlServer, path: Path) -> str | None:
    """Connect as the user nobody, then let the server answer; return the error, if any."""
    groups = os.getgroups()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(DEADLINE_S)
        os.setgroups([])
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            client.connect(str(path))
        except PermissionError as denied:
            return str(denied).lower()
        finally:
            os.seteuid(0)
            os.setegid(0)
            os.setgroups(groups)
        server.start()
        client.sendall(b'{"command": "nothing"}\n')
        error: str | None = json.loads(client.recv(65536)).get("error")
        return error
