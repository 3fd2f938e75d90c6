"""``judder-train`` as a person uses it: the whole way, every mistake, and Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from agent.inference.bundle import read_bundle
from agent.inference.detector import judge_recording, open_detector
from firmware_bridge.recording import save_recording
from tests.owned_process import owned
from tests.waiting import DEADLINE_S
from trainer.cli.main import main

Run = Callable[..., Any]
COMMAND = (sys.executable, "-c", "from trainer.cli.main import main; main()")


def test_the_help_does_not_load_tensorflow() -> None:
    probe = (
        "import sys; from trainer.cli.main import main; main(['fit', '--help'], standalone_mode=False); "
        "print(sorted({'tensorflow', 'keras', 'scipy'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.endswith("[]\n")
    assert "--quantize [int8|float16|float32|dynamic]" in result.stdout


def test_a_nul_byte_in_a_files_name_is_told_in_one_line() -> None:
    result = CliRunner().invoke(main, ["data", "show", "a\0b.csv"])
    assert (result.exit_code, result.output) == (1, "Error: a file's name cannot hold a NUL byte\n")


def test_the_summary_says_what_was_learnt_and_what_comes_next(fitted: Any) -> None:
    lines = dict(line.split(maxsplit=1) for line in fitted.output.splitlines())
    assert lines["data"] == "healthy.npz: 4000 samples"
    assert lines["input"] == "x, y, 100 Hz"
    assert lines["windows"] == "32 samples, hop 4: 978 in 3 folds, each judged by what the others taught"
    assert lines["features"].startswith("raw, mean removed, divided by RMS: x 0.07")
    # 64 inputs: 64 x 8 + 8 and 8 x 64 + 64
    assert lines["network"].startswith("dense 8 relu, 1096 parameters, ")
    assert lines["int8"].startswith("scores correlate with float32 by ")
    assert lines["warning"] == "score 2.58 (rate:0.005)"
    assert lines["alarm"] == "score 3.09 (rate:0.001)"
    assert "of 978 windows at alarm or above; 95 % upper limit of the rate" in lines["out"]
    assert lines["parts"] == "level 0.01, time 0.01, spectrum 0.39, reconstruction 0.59"
    assert lines["bundle"].endswith(f"kB, signed by {fitted.public_key}")
    assert lines["next"] == f"judder replay RECORDING --model {fitted.path}"


def test_a_louder_machine_is_an_alarm_and_the_healthy_one_is_not(
    fitted: Any, recording_file: Path, healthy_samples: Run
) -> None:
    detector, _ = open_detector(fitted.path)
    _, quiet = judge_recording(detector, healthy_samples(2000, seed=5), [(0, 2000)])
    _, loud = judge_recording(detector, 2.0 * healthy_samples(2000, seed=5), [(0, 2000)])
    assert sum(verdict.level > 0 for verdict in quiet) < 0.05 * len(quiet)
    assert all(str(verdict.level) == "alarm" for verdict in loud)


def test_the_same_seed_gives_the_same_bytes_in_another_process(
    fitted: Any, recording_file: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    again = tmp_path / "pump-2.judder"
    arguments = ("fit", recording_file, "--out", again, "--sign", fitted.key_file, *tiny, "--json")
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True)
    assert again.read_bytes() == fitted.path.read_bytes()
    assert result.stderr == ""
    report = json.loads(result.stdout)
    assert (report["name"], report["version"], report["bytes"]) == ("pump", "2", again.stat().st_size)
    assert report["provenance"]["windows"]["total"] == 978
    assert "parts" not in report


def test_another_seed_gives_another_model(fitted: Any, other_bundle: Path) -> None:
    assert read_bundle(other_bundle).models != read_bundle(fitted.path).models


@pytest.mark.parametrize(
    ("quantization", "said"),
    [("float16", "scores correlate with float32 by 1.0000"), ("float32", "nothing was rounded")],
)
def test_other_quantizations_spectra_and_methods(
    judder_train: Run, recording_file: Path, tmp_path: Path, quantization: str, said: str
) -> None:
    out = tmp_path / "spectrum.judder"
    options = (
        "--arch dense --folds 3 --features spectrum --units 8,4,8 --activation tanh --metric mse --epochs 4 "
        "--window 64 --hop 32"
    )
    methods = "--threshold sigma:6 --alarm percentile:99 --version 3 --name fan --columns y"
    result = judder_train(
        "fit", recording_file, "--out", out, "--quantize", quantization, *options.split(), *methods.split()
    )
    assert result.exit_code == 0, result.output
    assert said in result.output
    assert "log spectrum, standardised per bin" in result.output
    manifest = read_bundle(out).manifest
    assert manifest.title == "fan-3"
    assert manifest.axes == ("y",)
    assert (manifest.window.length, manifest.window.hop) == (64, 32)
    assert manifest.thresholds.alarm.method == "percentile:99, lifted to sigma:6"
    assert "percentile:99, lifted to sigma:6" in result.output


def test_an_unknown_rate_is_allowed_and_warned_about(
    judder_train: Run, make_source: Run, healthy_samples: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    save_recording(tmp_path / "a.npz", make_source(healthy_samples(2500, 1), rate_hz=None).recording)
    result = judder_train("fit", tmp_path / "a.npz", "--out", tmp_path / "pump.judder", *tiny)
    assert result.exit_code == 0, result.output
    assert "sample rate unknown: the daemon needs one, state it with --rate" in result.output
    manifest = read_bundle(tmp_path / "pump.judder").manifest
    assert manifest.rate_hz is None
    assert manifest.title == "pump-1"


def test_several_recordings_are_one_model(
    judder_train: Run, make_source: Run, healthy_samples: Run, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    files = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for seed, file in enumerate(files):
        save_recording(file, make_source(healthy_samples(1500, seed=seed)).recording)
    result = judder_train("fit", *files, "--out", tmp_path / "two-1.judder", *tiny)
    assert result.exit_code == 0, result.output
    assert [
        source["name"] for source in read_bundle(tmp_path / "two-1.judder").manifest.provenance["data"]
    ] == [
        "a.npz",
        "b.npz",
    ]
    # Each of them was judged by what the other one taught, too.
    left_out = [line for line in result.output.splitlines() if line.startswith("left out")]
    assert [line.split(":")[0].split()[2] for line in left_out] == ["a.npz", "b.npz"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--out", "x.zip"], "a bundle's name ends in .judder"),
        (["--out", "x.judder", "--threshold", "rate:2"], "'rate:2': rate takes 1e-12 to 0.5"),
        (["--out", "x.judder", "--alarm", "often"], "'often' is no threshold method"),
        (["--out", "x.judder", "--units", "64,,8"], "layer sizes are whole numbers above 0"),
        (["--out", "x.judder", "--units", "0"], "layer sizes are whole numbers above 0"),
        (["--out", "x.judder", "--name", "two words"], "'two words': expected letters, digits"),
        (["--out", "two words-1.judder"], "'two words' cannot be a model's name"),
        (["--out", "x.judder", "--quantize", "int4"], "'int4' is not one of"),
        (["--out", "x.judder", "--arch", "gru"], "'gru' is not one of"),
        (["--out", "x.judder", "--epochs", "9"], "patches fixes --epochs; leave it out, or choose another"),
        (["--out", "x.judder", "--units", "8"], "--units is of --arch dense"),
        (["--out", "x.judder", "--parts", "level,time"], "'level,time': of level, time, spectrum, network"),
        (["--out", "x.judder", "--window", "3"], "3 is not in the range"),
        (["--out", "x.judder", "--rate", "0"], "0.0 is not in the range"),
        ([], "Missing option '--out'"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    judder_train: Run, recording_file: Path, options: list[str], complaint: str
) -> None:
    result = judder_train("fit", recording_file, *options)
    assert result.exit_code == 2
    assert complaint in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--columns", "x,q"], "healthy.npz, column 'q'"),
        (["--rate", "50"], "healthy.npz"),
        (
            ["--window", "600"],  # ten windows of 600 end to end, and one more for the edges of each fold
            "too short: windows of 600 samples need 9000 samples without a gap, there are 4000",
        ),
        (["--window", "16", "--hop", "17"], "choose a smaller --hop"),
        (["--arch", "dense", "--epochs", "9", "--learning-rate", "1e30"], "training diverges"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(
    judder_train: Run, recording_file: Path, tmp_path: Path, options: list[str], complaint: str
) -> None:
    result = judder_train("fit", recording_file, "--out", tmp_path / "x-1.judder", *options)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert complaint in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_out_is_found_before_training(
    judder_train: Run, recording_file: Path, tmp_path: Path
) -> None:
    # With these data and a window of 600 the fit would fail for another reason later.
    result = judder_train("fit", recording_file, "--out", tmp_path / "no" / "x.judder", "--window", 600)
    assert result.exit_code == 1
    assert "cannot be written: there is no folder" in result.stderr


def test_a_file_without_a_key_is_told_before_training(
    judder_train: Run, recording_file: Path, tmp_path: Path
) -> None:
    result = judder_train("fit", recording_file, "--out", tmp_path / "x.judder", "--sign", recording_file)
    assert result.exit_code == 1
    assert "holds no signing key" in result.stderr


def test_an_int8_model_that_loses_too_much_is_refused(
    judder_train: Run, make_source: Run, tmp_path: Path
) -> None:
    # Two components reproduce a sine but for its noise, which is a hundredth of a step of int8.
    noise = 1e-4 * np.random.default_rng(0).standard_normal((4000, 1))
    sine = np.sin(2.0 * np.pi * 12.3 * np.arange(4000)[:, np.newaxis] / 100.0)
    save_recording(tmp_path / "a.npz", make_source((sine + noise).astype(np.float32)).recording)
    out = tmp_path / "x-1.judder"
    options = "--arch pca --components 2 --window 32 --folds 3 --no-auto --quantize int8"
    result = judder_train("fit", tmp_path / "a.npz", "--out", out, *options.split())
    assert result.exit_code == 1
    assert "int8 loses too much: its scores correlate with those of float32 by" in result.stderr
    assert "only; choose --quantize float32" in result.stderr
    assert not out.exists()


def test_a_key_is_not_overwritten(judder_train: Run, fitted: Any) -> None:
    result = judder_train("keygen", fitted.key_file)
    assert result.exit_code == 1
    assert "exists already and is left alone" in result.stderr


def test_ctrl_c_leaves_what_was_learnt_and_nothing_else(recording_file: Path, tmp_path: Path) -> None:
    # In the background of a shell Ctrl-C would be ignored. Each epoch is kept, not each second's last.
    program = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trainer.networks import checkpoint
checkpoint.SNAPSHOT_S = 0.0
from trainer.cli.main import main
main()
"""
    options = ("--out", tmp_path / "x.judder", "--arch", "dense", "--epochs", "100000")
    terminal, other_end = pty.openpty()
    command = (sys.executable, "-c", program, "fit", recording_file, *options)
    with owned(command, stderr=other_end, stdout=subprocess.PIPE) as process:
        os.close(other_end)
        shown = b""
        while b"training, loss" not in shown:
            shown += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        shown += _rest(terminal)
        assert process.stdout is not None
        assert process.stdout.read() == b""
        assert process.wait(DEADLINE_S) == 1
    os.close(terminal)
    assert b"what was learnt is kept" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["x.checkpoint"]


def _rest(terminal: int) -> bytes:
    """Read until nobody writes any more: what is not read would hold the writer up."""
    shown = b""
    with suppress(OSError):  # EIO, at the end
        while chunk := os.read(terminal, 4096):
            shown += chunk
    return shown
