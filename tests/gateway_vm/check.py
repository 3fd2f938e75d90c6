"""The check of a whole gateway, in the guest: tells each thing that holds, stops at the first that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHARE = Path("/mnt/share")
JUDDER = "/opt/judder/bin/judder"
DEADLINE_S = 300.0
UNIT = "judder.service"
SECOND_BOOT = Path("/var/lib/check-alert")
"""Holds the id of the alert that waited when the power was cut."""

CONFIG = """
[gateway]
site = "plant-1"
name = "gw-3"
[sensors.press]
bus = "{bus}"
rate_hz = 25
bundle = "/var/lib/judder/models/level-1.judder"
[sensors.bench]
bus = "sim:bench"
chip = "lsm6dso"
rate_hz = 104
bundle = "/var/lib/judder/models/demo-1.judder"
[sensors.bench.signal]
kind = "rotor"
[uplink]
host = "127.0.0.1"
username = "gw-3"
password_credential = "broker-password"
reconnect_s = 0.5
[telemetry]
score_interval_s = 2
health_interval_s = 5
"""


def run(*command: str, check: bool = True) -> str:
    """Run a command and return what it printed."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def until(condition: Callable[[], object], what: str) -> None:
    """Return when the condition holds; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def holds(what: str) -> None:
    """Tell what was found to hold."""
    print(f"{time.monotonic():6.1f} s  {what}", flush=True)


def property_of(name: str, unit: str = UNIT) -> str:
    """Return a property of a unit."""
    return run("systemctl", "show", "--value", "--property", name, unit).strip()


def status() -> dict[str, Any]:
    """Return the daemon's status; empty while it does not answer."""
    text = run(JUDDER, "status", "--json", check=False)
    return dict(json.loads(text)) if text else {}


def sensor(name: str) -> dict[str, Any]:
    """Return the status of a sensor; empty while the daemon does not answer."""
    return next((found for found in status().get("sensors", []) if found["sensor"] == name), {})


def alerts(sensor: str, subject: str) -> list[dict[str, Any]]:
    """Return the alerts of a sensor, the newest first."""
    found = json.loads(run(JUDDER, "alerts", "--json", check=False) or "[]")
    return [a for a in found if a["sensor"] == sensor and a["last_event"]["subject"] == subject]


def plug_in() -> Path:
    """Start the adapter; return its bus."""
    run("systemd-run", "--unit=adapter", "--collect", "/opt/judder/bin/python", "/opt/test/adapter.py")
    until(buses, "the kernel has made no bus")
    return buses()[0]


def buses() -> list[Path]:
    """Return the buses of i2c-tiny-usb."""
    named = Path("/sys/class/i2c-dev").glob("i2c-*")
    return [Path("/dev") / at.name for at in named if "i2c-tiny-usb" in (at / "name").read_text()]


def machine(number: str) -> None:
    """Break (SIGUSR1) or repair (SIGUSR2) the machine."""
    run("systemctl", "kill", f"--signal={number}", "adapter")


def start_broker() -> None:
    """Start a broker that knows the gateway and a reader."""
    run("mosquitto_passwd", "-c", "-b", "/etc/mosquitto/passwords", "gw-3", "secret-1")
    run("mosquitto_passwd", "-b", "/etc/mosquitto/passwords", "reader", "secret-2")
    run("chown", "mosquitto", "/etc/mosquitto/passwords")
    Path("/etc/mosquitto/conf.d/check.conf").write_text(
        "listener 1883 127.0.0.1\npassword_file /etc/mosquitto/passwords\n", encoding="ascii"
    )
    run("systemctl", "restart", "mosquitto")
    reader = "mosquitto_sub -u reader -P secret-2 -t judder/# -F '%t %p'"
    run("systemd-run", "--unit=reader", "--property=StandardOutput=file:/run/heard", "sh", "-c", reader)


def heard(kind: str) -> list[dict[str, Any]]:
    """Return what the broker handed out on topics of a kind."""
    lines = [line.partition(" ") for line in Path("/run/heard").read_text(encoding="utf-8").splitlines()]
    return [json.loads(payload) for topic, _, payload in lines if topic.endswith(f"/{kind}")]


def install(bus: Path) -> None:
    """Install the service as an operator does."""
    run(JUDDER, "service", "install")
    assert property_of("UnitFileState") == "enabled"
    Path("/etc/judder/judder.toml").write_text(CONFIG.format(bus=bus), encoding="ascii")
    password = Path("/etc/judder/broker-password")
    password.write_text("secret-1\n", encoding="ascii")
    password.chmod(0o600)
    for bundle in ("level-1.judder", "demo-1.judder"):
        run("install", "-m", "0644", str(SHARE / bundle), "/var/lib/judder/models/")
    assert "good. Sensors: press" in run(JUDDER, "config", "check", "/etc/judder/judder.toml")
    assert run("stat", "--format=%G %a", str(bus)) == "i2c 660\n"
    holds("installed; the bus belongs to the group i2c")
    assert "adxl345" in run(JUDDER, "sensor", "scan", "--bus", str(bus))
    holds("the chip is found on the bus")


def check_start() -> None:
    """The unit starts, sandboxed, and scores the real bus and with TFLite."""
    run("systemctl", "start", UNIT)
    assert property_of("ActiveState") == "active"
    user = run("ps", "--no-headers", "-o", "user", "-p", property_of("MainPID")).strip()
    assert user == "judder", user
    until(lambda: sensor("press").get("windows_scored"), "the sensor on the kernel's bus is not scored")
    until(lambda: sensor("bench").get("windows_scored"), "the sensor with the TFLite model is not scored")
    until(lambda: status()["uplink"]["connected"], f"no connection to the broker: {status()['uplink']}")
    assert sensor("press")["simulated"] is False
    holds("the unit runs as judder, scores both sensors, and knows the broker's password")
    told = run("systemd-analyze", "security", "--no-pager", UNIT).splitlines()[-1]
    exposure = float(told.split(":")[1].split()[0])
    assert exposure <= 1.3, told
    holds(f"systemd-analyze security: {exposure}")


def check_alerts() -> None:
    """What breaks is told, here, in the journal and at the broker."""
    assert not alerts("press", "machine")
    machine("SIGUSR1")
    until(lambda: alerts("press", "machine"), "no alert of the machine on the kernel's bus")
    (alert,) = alerts("press", "machine")
    until(lambda: any(a["alert_id"] == alert["alert_id"] for a in heard("alert")), "the alert was not sent")
    until(lambda: alerts("press", "machine")[0]["delivered"], "the alert is not marked as delivered")
    fields = ("SENSOR=press", f"ALERT_ID={alert['alert_id']}", "MESSAGE_ID=c36de81690394b7ab88178026d7643ab")
    assert "raised" in run("journalctl", "--output=cat", "--unit", UNIT, *fields)
    holds("a broken machine: alert stored, delivered, and in the journal by its fields")


def check_kill() -> None:
    """SIGKILL: the same alert goes on."""
    (before,) = alerts("press", "machine")
    run("systemctl", "kill", "--signal=SIGKILL", UNIT)
    until(lambda: property_of("NRestarts") == "1", "systemd does not start it again")
    until(lambda: sensor("press").get("windows_scored"), "it does not score after SIGKILL")
    assert [alert["alert_id"] for alert in alerts("press", "machine")] == [before["alert_id"]]
    machine("SIGUSR2")
    until(lambda: alerts("press", "machine")[0]["cleared_at"], "the alert does not clear")
    holds("SIGKILL: systemd starts it again, and the alert goes on until it clears")


def check_unplug(bus: Path) -> None:
    """An adapter that is pulled out is told, and used again when it is back."""
    run("systemctl", "stop", "adapter")
    until(lambda: alerts("press", "sensor"), "the lost bus is not told")
    assert str(bus) in alerts("press", "sensor")[0]["last_event"]["reason"]
    scored = sensor("bench")["windows_scored"]
    until(lambda: sensor("bench")["windows_scored"] > scored, "the other sensor has stopped")
    assert plug_in() == bus
    until(lambda: alerts("press", "sensor")[0]["cleared_at"], "the bus that is back is not used")
    holds("an adapter pulled out and put back: told, and sampled again, without a restart")


def check_watchdog() -> None:
    """A daemon that hangs is ended and started again."""
    drop_in = Path("/etc/systemd/system/judder.service.d/check.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nWatchdogSec=10\nRestartSec=1\n", encoding="ascii")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", UNIT)
    until(lambda: sensor("press").get("windows_scored"), "it does not score after a restart")
    process = property_of("MainPID")
    os.kill(int(process), 19)  # SIGSTOP
    until(lambda: property_of("MainPID") not in ("0", process), "the watchdog does not bite")
    assert "Watchdog timeout" in run("journalctl", "--output=cat", "--unit", UNIT)
    until(lambda: sensor("press").get("windows_scored"), "it does not score after the watchdog")
    holds("a daemon that hangs is ended by the watchdog and started again")


def cut_power() -> None:
    """Raise an alert that nobody can be told of, then lose the power."""
    run("systemctl", "stop", "mosquitto")
    before = len(alerts("press", "machine"))
    machine("SIGUSR1")
    until(lambda: len(alerts("press", "machine")) > before, "no alert without a broker")
    alert = alerts("press", "machine")[0]
    assert not alert["delivered"]
    SECOND_BOOT.write_text(alert["alert_id"], encoding="ascii")
    run("sync", str(SECOND_BOOT))
    holds("an alert is stored while the broker is away; now the power is cut")
    Path("/proc/sysrq-trigger").write_text("b", encoding="ascii")
    time.sleep(DEADLINE_S)


def check_second_boot() -> None:
    """The service has come up by itself, and what waited is delivered."""
    waiting = SECOND_BOOT.read_text(encoding="ascii")
    run("modprobe", "--all", "vhci-hcd", "i2c-tiny-usb")  # and not i2c-dev: the service has it loaded
    until(lambda: sensor("bench").get("windows_scored"), "the service did not come up by itself")
    assert property_of("NRestarts") == "0"

    def delivered() -> bool:
        found = {alert["alert_id"]: alert["delivered"] for alert in alerts("press", "machine")}
        assert waiting in found, "the alert was lost"
        return bool(found[waiting])

    until(delivered, "what waited is not delivered")
    plug_in()
    until(lambda: sensor("press").get("windows_scored"), "the bus that came later is not used")
    holds("power back: the service starts at boot, the alert is there and delivered, the late bus is used")


def check_stop() -> None:
    """It stops at once."""
    begin = time.monotonic()
    run("systemctl", "stop", UNIT)
    took_s = time.monotonic() - begin
    assert property_of("Result") == "success"
    holds(f"stopped in {took_s:.1f} s")


def main() -> None:
    """Check everything, in order, over two boots."""
    if SECOND_BOOT.exists():
        check_second_boot()
        check_stop()
    else:
        check_first_boot()


def check_first_boot() -> None:
    """All that can be checked without a power cut; then cut the power."""
    run("modprobe", "--all", "vhci-hcd", "i2c-tiny-usb", "i2c-dev")
    failed = run("systemctl", "list-units", "--failed", "--no-legend")
    assert not failed, failed
    start_broker()
    bus = plug_in()
    holds(f"systemd is up without a failed unit, and the kernel has made {bus}")
    install(bus)
    check_start()
    check_alerts()
    check_kill()
    check_unplug(bus)
    check_watchdog()
    cut_power()


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        print(f"FAILED: {error}", flush=True)
        print(run("journalctl", "--unit=judder", "--unit=adapter", "--lines=80", check=False), flush=True)
        sys.exit(1)
