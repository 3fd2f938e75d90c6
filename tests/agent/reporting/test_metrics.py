"""Metrics as Prometheus reads them, and the server that hands them out."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import ConfigError, StoreError
from agent.reporting.metrics import Metric, Sample, exposition
from agent.reporting.metrics_server import MetricsServer
from tests.waiting import DEADLINE_S


# https://prometheus.io/docs/instrumenting/exposition_formats/: escapes, labels, summaries.
def test_the_text_format() -> None:
    counter = Metric("judder_x_total", "counter", "Told.", [Sample(3, {"sensor": 'a"b\\c\nd'})])
    summary = Metric(
        "judder_y", "summary", "Told.", [Sample(0.25, {"quantile": "0.5"}), Sample(7, suffix="_count")]
    )
    assert exposition([counter, summary, Metric("judder_z", "gauge", "Nothing yet.", [])]) == (
        "# HELP judder_x_total Told.\n"
        "# TYPE judder_x_total counter\n"
        'judder_x_total{sensor="a\\"b\\\\c\\nd"} 3.0\n'
        "# HELP judder_y Told.\n"
        "# TYPE judder_y summary\n"
        'judder_y{quantile="0.5"} 0.25\n'
        "judder_y_count 7.0\n"
    )


def test_promtool_finds_a_mistake() -> None:
    """Show that the check by which the daemon's metrics pass can fail."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    text = exposition([Metric("judder_x", "counter", "Told.", [Sample(1)])])
    result = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert result.returncode != 0


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    answers = iter(["judder_x 1\n"])

    def metrics() -> str:
        for answer in answers:
            return answer
        raise StoreError(Path("judder.db"), "gone")

    server = MetricsServer(("127.0.0.1", 0), metrics)
    server.start()
    yield server
    server.close()
    server.close()


def get(port: int, path: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    connection.request("GET", path)
    response = connection.getresponse()
    found = response.status, response.getheader("Content-Type", ""), response.read().decode()
    connection.close()
    return found


def test_the_server_answers(server: MetricsServer) -> None:
    assert get(server.port, "/")[0] == 404
    status, kind, body = get(server.port, "/metrics")
    assert (status, kind, body) == (200, "text/plain; version=0.0.4; charset=utf-8", "judder_x 1\n")
    assert get(server.port, "/metrics")[0] == 503


def test_a_client_that_says_nothing_keeps_nobody_waiting(server: MetricsServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)):
        assert get(server.port, "/metrics")[0] == 200


def test_a_port_that_is_taken_is_told(server: MetricsServer) -> None:
    with pytest.raises(ConfigError, match=rf"metrics\.listen = '127\.0\.0\.1:{server.port}': .*another port"):
        MetricsServer(("127.0.0.1", server.port), lambda: "")


def test_why_there_are_none_is_told_in_any_script() -> None:
    def metrics() -> str:
        raise StoreError(Path("/var/lib/závod/judder.db"), "gone")

    server = MetricsServer(("127.0.0.1", 0), metrics)
    server.start()
    try:
        status, _, body = get(server.port, "/metrics")
    finally:
        server.close()
    assert (status, "/var/lib/závod/judder.db: gone" in body) == (503, True)


@pytest.mark.parametrize("path", ["/metrics/", "/Metrics", "/metrics?a=1", "/status"])
def test_only_metrics_are_found(server: MetricsServer, path: str) -> None:
    status, _, body = get(server.port, path)
    assert (status, "metrics are at /metrics" in body) == (404, True)


def test_a_port_that_is_none_is_told() -> None:
    with pytest.raises(ConfigError, match=r"metrics\.listen = '127\.0\.0\.1:70000': .*choose another port"):
        MetricsServer(("127.0.0.1", 70000), lambda: "")
