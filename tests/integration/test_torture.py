"""The short form of ``make torture``: no alert may be lost, whatever fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CYCLES = 200
LIMIT_S = 1500
"""It takes a sixtieth of that on a machine that is not busy."""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_alert_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    if not (shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")):
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    command = [sys.executable, "-m", "benchmarks.torture", "--json"]
    limits = ["--cycles", str(CYCLES), "--seconds", str(LIMIT_S)]
    result = subprocess.run(
        [*command, *limits], cwd=ROOT, capture_output=True, text=True, check=False, timeout=1700
    )
    assert result.stdout, result.stderr
    report = json.loads(result.stdout)
    told = {name: value for name, value in report.items() if name != "faults"}
    with capsys.disabled():
        sys.stdout.write(f"\ntorture: {told}\n")
    assert report["cycles"] == CYCLES
    assert report["raised"] > report["cycles"]
    assert (report["lost"], report["repeated_ids"], report["out_of_order"]) == (0, 0, 0)
    assert result.returncode == 0
