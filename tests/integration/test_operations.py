"""The daemon as an operator meets it: metrics, reload, thresholds, a full disk, several sensors."""

from __future__ import annotations

import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from tests.integration.conftest import Broker, Gateway, Subscriber

StartGateway = Callable[..., "Gateway"]

FURTHER_SENSORS = """
[sensors.dead]
bus = "/dev/i2c-not-there"
rate_hz = 800
bundle = "easy-1.judder"
[sensors.slow]
bus = "sim:slow"
rate_hz = 800
bundle = "easy-1.judder"
[sensors.slow.signal]
kind = "rotor"
[sensors.slow.faults]
plan = [{ kind = "timeout", at_s = 0.5, duration_s = 1000 }]   # every transfer takes a second, and fails
[sensors.pump]
bus = "sim:pump"
chip = "lsm6dso"
rate_hz = 833
bundle = "easy-1.judder"
[sensors.pump.ensemble]
bundles = ["easy-1.judder"]
combine = "mean"
[sensors.pump.signal]
kind = "rotor"
harmonics_g = [[1.4142, 1.4142, 1.4142]]
load_variation = 0.0
"""


def values(metrics: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in metrics.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_metrics_that_prometheus_accepts(
    start_gateway: StartGateway, broker: Broker, subscriber: Subscriber, free_tcp_port: int
) -> None:
    gateway = start_gateway(broker.port, f'[metrics]\nlisten = "127.0.0.1:{free_tcp_port}"\n')
    wait_until(lambda: [p for p in subscriber.payloads("alert") if p["level"] == "alarm"], "no alarm arrived")
    wait_until(lambda: subscriber.ids("health"), "no telemetry arrived")
    text = gateway.judder("status", "--prometheus").stdout
    with urllib.request.urlopen(f"http://127.0.0.1:{free_tcp_port}/metrics", timeout=DEADLINE_S) as response:
        served = response.read().decode()
    found = values(served)
    assert found.keys() == values(text).keys()
    assert found['judder_sensor_up{sensor="press"}'] == 1
    assert found['judder_alarm_level{sensor="press"}'] == 2
    assert found['judder_alert_events_total{sensor="press",subject="machine",change="raised"}'] == 1
    assert found['judder_windows_total{sensor="press",result="scored"}'] > 0
    assert found['judder_score{sensor="press",quantile="0.99"}'] > 3
    assert found["judder_uplink_connected"] == 1
    assert found["judder_puback_seconds_count"] >= 1
    assert found['judder_outbox_confirmed_total{kind="alert"}'] >= 1
    assert found["judder_store_writable"] == 1
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=served, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_reload_takes_what_is_safe_and_refuses_the_rest(
    start_gateway: StartGateway, broker: Broker, subscriber: Subscriber
) -> None:
    gateway = start_gateway(broker.port)
    original = gateway.config.read_text()
    gateway.config.write_text(original.replace("health_interval_s = 0.5", "health_interval_s = 0.2"))
    assert gateway.judder("config", "reload").stdout == "reloaded: telemetry\n"
    assert gateway.judder("config", "reload").stdout == "reloaded: no change\n"

    gateway.config.write_text(original.replace('"gw-3"', '"gw-4"'))
    refused = gateway.judder("config", "reload")
    assert refused.returncode == 1
    assert "gateway has changed; that needs 'systemctl restart judder'" in refused.stderr
    gateway.config.write_text(original.replace("rate_hz = 800", "rate_hz = -1"))
    assert "rate_hz = -1: expected" in gateway.judder("config", "reload").stderr
    gateway.config.write_text(original)
    assert gateway.status()["gateway"] == "gw-3"

    # Another client id: the forwarder is replaced, and the gateway says goodbye and hello.
    gateway.config.write_text(original.replace("reconnect_s = 0.3", 'reconnect_s = 0.3\nclient_id = "other"'))
    before = len(subscriber.payloads("status"))
    assert gateway.process is not None
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(subscriber.payloads("status")) >= before + 2, "the uplink was not replaced")
    assert [payload["status"] for payload in subscriber.payloads("status")[-2:]] == ["stopped", "online"]
    code, log = gateway.end(signal.SIGTERM)
    assert code == 0
    assert "reloaded: telemetry, uplink" in log  # the interval of the beginning, too


def test_a_threshold_set_by_a_person_holds_over_a_restart(
    start_gateway: StartGateway, broker: Broker
) -> None:
    gateway = start_gateway(broker.port)
    raised = gateway.judder("threshold", "press", "--warning", "30", "--alarm", "31", "--by", "ada")
    assert raised.stdout == "press: warning 30.00, alarm 31.00 (set by ada)\n"
    wrong = gateway.judder("threshold", "press", "--warning", "5", "--alarm", "4")
    assert "the alarm threshold 4 lies below the warning threshold 5" in wrong.stderr
    assert "known are press" in gateway.judder("threshold", "fan", "--reset").stderr
    gateway.end(signal.SIGKILL)
    gateway.start()

    def lines() -> list[float]:
        return [line["score"] for line in gateway.status()["sensors"][0]["thresholds"].values()]

    assert lines() == [30.0, 31.0]
    assert gateway.judder("threshold", "press", "--reset").stdout.startswith(
        "press: warning 2.50, alarm 3.00"
    )
    wait_until(lambda: lines() == [2.5, 3.0])


def test_a_waveform_is_kept_when_somebody_asks(start_gateway: StartGateway, broker: Broker) -> None:
    gateway = start_gateway(broker.port, "[evidence]\nbefore_s = 0.2\nafter_s = 0.2\n")
    asked = gateway.judder("capture", "press", "--by", "ada")
    assert asked.returncode == 0, asked.stderr
    wait_until(Path(asked.stdout.strip()).exists, "no waveform was written")
    assert "no sensor 'fan'; known are press" in gateway.judder("capture", "fan").stderr


def test_neither_a_dead_nor_a_slow_sensor_delays_another(
    start_gateway: StartGateway, broker: Broker, subscriber: Subscriber
) -> None:
    gateway = start_gateway(broker.port, FURTHER_SENSORS)

    def sensors() -> dict[str, dict[str, Any]]:
        return {sensor["sensor"]: sensor for sensor in gateway.status()["sensors"]}

    wait_until(
        lambda: {payload["sensor"] for payload in subscriber.payloads("alert")} >= {"press", "dead"},
        "the alerts of the sound sensor and of the dead one did not arrive",
    )
    wait_until(lambda: sensors()["pump"]["windows_scored"], "the sound sensor is not scored")
    found = sensors()
    assert found["dead"]["state"] == "failed"
    assert "i2c-not-there" in str(found["dead"]["error"])
    wait_until(lambda: sensors()["slow"]["state"] == "failed", "the slow sensor has not failed")
    found = sensors()
    for name in ("press", "pump"):
        # In real time, on whatever machine; one that waited for the slow bus would lose nine of ten.
        samples, lost = found[name]["samples"], found[name]["samples_lost"]
        assert (found[name]["state"], found[name]["windows_skipped_late"]) == ("sampling", 0), name
        assert samples > 4 * lost, name
    assert found["pump"]["model"] == "easy-1 + easy-1-mean"
    assert {name: sensor["temperature_c"] for name, sensor in found.items()} == {
        "press": None,
        "dead": None,
        "slow": None,
        "pump": 25.0,
    }
    wait_until(lambda: sensors()["slow"]["sensor_alert_id"], "the slow sensor raised no alert")
    told = gateway.judder("status")
    assert (told.returncode, "lost, 25.0 °C" in told.stdout) == (3, True)
    blind = [line for line in told.stdout.splitlines() if line.startswith("NOT WATCHED since 20")]
    assert ["  dead  sensor alert " in line or "  slow  sensor alert " in line for line in blind] == [
        True,
        True,
    ]
    metrics = values(gateway.judder("status", "--prometheus").stdout)
    assert {name for name in metrics if name.startswith("judder_alarm_level")} == {
        'judder_alarm_level{sensor="press"}',
        'judder_alarm_level{sensor="pump"}',
    }
    assert {name: value for name, value in metrics.items() if "temperature" in name} == {
        'judder_sensor_temperature_celsius{sensor="pump"}': 25.0
    }
    wait_until(lambda: {"press", "pump"} <= {payload["sensor"] for payload in subscriber.payloads("score")})
    wait_until(lambda: len({payload["sensor"] for payload in subscriber.payloads("health")}) == 4)
    pump = [payload for payload in subscriber.payloads("health") if payload["sensor"] == "pump"][-1]
    assert pump["temperature_c"] == 25.0
    subscriber.assert_valid()


REGIMES = """
[sensors.fan]
bus = "sim:fan"
rate_hz = 800
[sensors.fan.signal]
kind = "rotor"
harmonics_g = [[1.4142, 1.4142, 1.4142]]
load_variation = 0.0
[sensors.fan.regimes]
by = "command"
models.slow = { bundle = "easy-1.judder" }
models.fast = { bundle = "easy-1.judder" }
"""


def test_the_machines_control_tells_the_regime(
    start_gateway: StartGateway, broker: Broker, subscriber: Subscriber
) -> None:
    gateway = start_gateway(broker.port, REGIMES)

    def fan() -> dict[str, Any]:
        return dict(gateway.status()["sensors"][1])

    wait_until(lambda: fan()["windows_outside"], "nothing was left out")
    assert (fan()["regime"], fan()["windows_scored"]) == (None, 0)
    assert gateway.judder("regime", "fan", "fast", "--by", "plc").stdout == "fan: fast\n"
    wait_until(lambda: fan()["windows_scored"], "nothing is scored")
    assert fan()["regime"] == "fast"
    assert "regime fast of slow, fast; not scored:" in gateway.judder("status").stdout
    metrics = values(gateway.judder("status", "--prometheus").stdout)
    assert metrics['judder_regime{sensor="fan",regime="fast"}'] == 1
    assert metrics['judder_regime{sensor="fan",regime="slow"}'] == 0
    assert metrics['judder_windows_total{sensor="fan",result="outside"}'] > 0
    wait_until(lambda: any(p["regime"] == "fast" for p in subscriber.payloads("health")))
    subscriber.assert_valid()
    assert "no regime 'warp'; known are slow, fast" in gateway.judder("regime", "fan", "warp").stderr
    assert gateway.judder("regime", "fan").returncode == 2

    gateway.end(signal.SIGKILL)
    gateway.start()
    wait_until(lambda: fan()["windows_scored"], "the regime was forgotten")
    assert "nothing is scored" in gateway.judder("regime", "fan", "--none").stdout
    wait_until(lambda: fan()["regime"] is None)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 2 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if not mounted or mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Write until the disk is full."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return ballast


def test_scoring_goes_on_while_the_disk_is_full(
    new_gateway: StartGateway, broker: Broker, subscriber: Subscriber, small_disk: Path
) -> None:
    gateway = new_gateway(broker.port)
    text = gateway.config.read_text().replace('state_dir = "."', f'state_dir = "{small_disk}"')
    gateway.config.write_text(text.replace("fault_at_s = 1.0", "fault_at_s = 4.0"))
    gateway.start()
    wait_until(lambda: subscriber.ids("health"), "no telemetry arrived")
    ballast = fill(small_disk)

    def sensor() -> dict[str, int]:
        return dict(gateway.status()["sensors"][0])

    wait_until(lambda: gateway.status()["store"]["error"], "the full disk is not told")
    assert "CANNOT BE WRITTEN" in gateway.judder("status").stdout
    wait_until(lambda: sensor()["alerts_in_memory"], "no alert was raised")
    scored = sensor()["windows_scored"]
    wait_until(lambda: sensor()["windows_scored"] > scored, "scoring has stopped")
    assert gateway.status()["uplink"]["connected"]
    assert not subscriber.ids("alert")
    ballast.unlink()
    wait_until(lambda: subscriber.ids("alert"), "the alert is lost")
    wait_until(lambda: gateway.status()["store"]["error"] is None, "the recovery is not told")
    wait_until(lambda: sensor()["alerts_in_memory"] == 0, "an alert waits though the disk takes it")
    code, log = gateway.end(signal.SIGTERM)
    assert code == 0
    assert log.count("alerts wait in memory") == 1
    assert log.count("can be written again") == 1


def on_small_disk(gateway: Gateway, disk: Path, fault_at_s: float) -> None:
    """Have the gateway keep its state on a small disk, and its machine break at a time."""
    text = gateway.config.read_text().replace('state_dir = "."', f'state_dir = "{disk}"')
    gateway.config.write_text(text.replace("fault_at_s = 1.0", f"fault_at_s = {fault_at_s}"))


def test_a_new_gateway_scores_though_the_disk_is_full(
    new_gateway: StartGateway, broker: Broker, subscriber: Subscriber, small_disk: Path
) -> None:
    gateway = new_gateway(broker.port)
    on_small_disk(gateway, small_disk, 1.0)
    ballast = fill(small_disk)
    gateway.start()
    assert "CANNOT BE WRITTEN" in gateway.judder("status").stdout
    assert values(gateway.judder("status", "--prometheus").stdout)["judder_store_writable"] == 0
    wait_until(lambda: gateway.status()["sensors"][0]["alerts_in_memory"], "no alert was raised")
    assert gateway.status()["uplink"]["connected"]
    ballast.unlink()
    wait_until(lambda: subscriber.ids("alert"), "the alert is lost")
    wait_until(lambda: gateway.status()["store"]["error"] is None, "the recovery is not told")
    wait_until(lambda: gateway.alerts()[0]["delivered"], "the alert is not noted")
    code, log = gateway.end(signal.SIGTERM)
    assert code == 0
    assert "judder.db: " in log
    # Who cannot write says so when it begins, not at each attempt.
    assert 1 <= log.count("free space on the disk") < 10
    assert log.count("can be written again") >= 1


def test_what_waited_is_known_and_sent_though_the_disk_is_full_at_the_start(
    new_gateway: StartGateway, broker: Broker, subscriber: Subscriber, small_disk: Path
) -> None:
    gateway = new_gateway(broker.port)
    on_small_disk(gateway, small_disk, 0.0)
    broker.kill()
    gateway.start()
    wait_until(gateway.alerts, "no alert was raised")
    (before,) = gateway.alerts()
    gateway.end(signal.SIGKILL)
    for shared in small_disk.glob("*-shm"):  # gone, as after a power cut
        shared.unlink()
    ballast = fill(small_disk)
    broker.start()
    gateway.start()
    status = gateway.status()
    assert status["sensors"][0]["alert_id"] == before["alert_id"]
    assert status["store"]["error"]
    wait_until(lambda: subscriber.ids("alert"), "what waited is not sent")
    ballast.unlink()
    wait_until(lambda: gateway.status()["store"]["error"] is None, "the recovery is not told")
    wait_until(lambda: gateway.alerts()[0]["delivered"], "the delivery is not noted")
    assert [alert["alert_id"] for alert in gateway.alerts()] == [before["alert_id"]]
    raised = [m for m in list(subscriber.messages) if b'"change":"raised"' in m.payload]
    assert len(raised) == 1


def test_a_state_folder_that_cannot_be_used_is_told(new_gateway: StartGateway, broker: Broker) -> None:
    gateway = new_gateway(broker.port)
    gateway.config.write_text(gateway.config.read_text().replace('state_dir = "."', 'state_dir = "/proc/x"'))
    refused = gateway.judder("run")
    assert refused.returncode == 78
    assert "state_dir = /proc/x: cannot be made" in refused.stderr
