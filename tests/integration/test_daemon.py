"""The whole daemon as a process: simulated sensor, real driver, real broker, real signals."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_bridge.recording import load_recording
from tests.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from tests.integration.conftest import Broker, Gateway, Subscriber


def test_from_the_bus_to_the_broker(
    start_gateway: Callable[..., Gateway], broker: Broker, subscriber: Subscriber
) -> None:
    gateway = start_gateway(broker.port)
    wait_until(lambda: bool(subscriber.ids("alert")), "no alert arrived")
    wait_until(lambda: bool(subscriber.ids("score") and subscriber.ids("health")), "no telemetry arrived")
    subscriber.assert_valid()
    alert = subscriber.payloads("alert")[0]
    assert (alert["site"], alert["gateway"], alert["sensor"]) == ("plant-1", "gw-3", "press")
    assert (alert["change"], alert["level"], alert["simulated"]) == ("raised", "alarm", True)
    (stored,) = gateway.alerts()
    assert stored["alert_id"] == alert["alert_id"]
    wait_until(lambda: gateway.alerts()[0]["delivered"], "the alert is not marked as delivered")
    health = subscriber.payloads("health")[-1]
    assert (health["windows_bad"], health["sensor_state"]) == (0, "sampling")
    # In real time, on whatever machine: a late drain may lose some, and then counts them.
    assert health["samples"] > 4 * health["samples_lost"]

    status = gateway.status()
    assert status["uplink"]["connected"]
    assert status["sensors"][0]["alert_id"] == alert["alert_id"]
    assert "ALARM" in gateway.judder("status").stdout

    acknowledged = gateway.judder("acknowledge", alert["alert_id"][:13], "--by", "the night shift")
    assert acknowledged.returncode == 0, acknowledged.stderr
    assert gateway.alerts()[0]["acknowledged_by"] == "the night shift"
    assert gateway.judder("acknowledge", "ffff").returncode == 1

    code, log = gateway.end(signal.SIGTERM)
    assert code == 0
    assert "did not stop" not in log
    wait_until(lambda: subscriber.payloads("status")[-1]["status"] == "stopped")
    (waveform,) = (gateway.folder / "evidence").glob(f"*-press-raised-{alert['alert_id']}.wav")
    assert load_recording(waveform).columns == ("x", "y", "z")
    assert gateway.judder("status").returncode == 1
    assert gateway.alerts()[0]["level"] == "alarm"


def test_an_alert_outlives_a_kill_before_it_was_sent(
    start_gateway: Callable[..., Gateway], broker: Broker, subscriber: Subscriber
) -> None:
    broker.kill()
    gateway = start_gateway(broker.port)
    wait_until(lambda: gateway.judder("alerts").stdout != "no alerts\n", "no alert was raised")
    (before,) = gateway.alerts()
    assert not before["delivered"]
    assert not gateway.status()["uplink"]["connected"]
    gateway.end(signal.SIGKILL)

    broker.start()
    gateway.start()
    wait_until(lambda: bool(subscriber.ids("alert")), "the alert was lost")
    first = subscriber.payloads("alert")[0]
    assert (first["alert_id"], first["change"]) == (before["alert_id"], "raised")
    # The alert that was open goes on under its id: the machine was broken before the kill and after it.
    assert {payload["alert_id"] for payload in subscriber.payloads("alert")} == {before["alert_id"]}


def test_the_broker_comes_back_while_alerts_wait(
    start_gateway: Callable[..., Gateway], broker: Broker, subscriber: Subscriber
) -> None:
    gateway = start_gateway(broker.port)
    wait_until(lambda: bool(gateway.status()["uplink"]["connected"]))
    broker.kill()
    wait_until(lambda: bool(gateway.alerts()), "no alert was raised without a broker")
    wait_until(lambda: not gateway.status()["uplink"]["connected"])
    broker.start()
    wait_until(lambda: bool(subscriber.ids("alert")), "the alert was not delivered later")
    assert gateway.status()["outbox"]["dropped"] == 0


def test_a_second_daemon_is_refused(start_gateway: Callable[..., Gateway], broker: Broker) -> None:
    gateway = start_gateway(broker.port)
    second = gateway.judder("run")
    assert second.returncode == 1
    assert "already running" in second.stderr
    assert gateway.judder("status").returncode == 0


def test_systemd_is_told(tmp_path: Path, new_gateway: Callable[..., Gateway], broker: Broker) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify.sock"))
        notified.settimeout(DEADLINE_S)
        gateway = new_gateway(broker.port)
        gateway.start(NOTIFY_SOCKET=str(tmp_path / "notify.sock"), WATCHDOG_USEC="400000")
        assert notified.recv(100) == b"READY=1"
        assert [notified.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert gateway.end(signal.SIGTERM)[0] == 0
        last = b""
        while last != b"STOPPING=1":
            last = notified.recv(100)
