"""An interrupted training goes on where it was, to the same last bit."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.inference.features import PatchFeatures
from tests.owned_process import owned
from tests.waiting import DEADLINE_S
from trainer.errors import CheckpointError, Interrupted
from trainer.networks.checkpoint import Checkpoint, Snapshot
from trainer.networks.models import patches
from trainer.networks.training import train
from trainer.settings import NetworkSettings, TrainingSettings

Run = Callable[..., Any]

IDENTITY = {"settings": "a", "recordings": "b"}
SETTINGS = TrainingSettings(epochs=8, batch_size=32, learning_rate=0.01)


@pytest.fixture
def clock() -> Callable[[], float]:
    """Every look at it takes ten seconds."""
    ticks = itertools.count(0.0, 10.0)
    return lambda: next(ticks)


def waves(n_windows: int) -> np.ndarray:
    phase = np.random.default_rng(0).uniform(0.0, 2 * np.pi, (n_windows, 1, 2))
    return (1.4 * np.sin(np.pi * np.arange(16)[:, None] / 4 + phase)).astype(np.float32)


def interrupt_after(count: int) -> Callable[[float], None]:
    losses: list[float] = []

    def on_epoch(loss: float) -> None:
        losses.append(loss)
        if len(losses) == count:
            raise KeyboardInterrupt

    return on_epoch


@pytest.mark.parametrize(
    "network",
    [
        NetworkSettings("dense", (8,), dropout=0.2),
        NetworkSettings("vae", (8, 4), kl_warm_up_steps=20),
        NetworkSettings("lstm", (4,), dropout=0.1),
    ],
)
def test_a_resumed_training_ends_as_if_it_had_never_stopped(
    tmp_path: Path, clock: Callable[[], float], network: NetworkSettings
) -> None:
    windows, path = waves(100), tmp_path / "x.checkpoint"

    def run(on_epoch: Callable[[float], None], checkpoint: Checkpoint | None = None) -> Any:
        slot = checkpoint.slot("one") if checkpoint else None
        return train(windows[:80], windows[80:], network, SETTINGS, on_epoch, slot)

    whole = run(lambda loss: None)
    with pytest.raises(Interrupted), Checkpoint(path, IDENTITY, clock=clock) as checkpoint:
        run(interrupt_after(4), checkpoint)
    told: list[float] = []
    with Checkpoint(path, IDENTITY, resumed=True, clock=clock) as checkpoint:
        found = checkpoint.slot("one").found
        assert found is not None
        assert len(found.document["loss"]) == 3  # the fourth epoch was not kept yet
        resumed = run(told.append, checkpoint)
    assert not path.exists()
    assert resumed.history == whole.history
    assert told == list(whole.history.validation_loss)
    for weight, expected in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(weight, expected)


def test_a_training_that_is_over_is_not_run_again(tmp_path: Path, clock: Callable[[], float]) -> None:
    windows, path, network = waves(100), tmp_path / "x.checkpoint", NetworkSettings("dense", (8,))
    checkpoint = Checkpoint(path, IDENTITY, clock=clock)
    first = train(windows, None, network, SETTINGS, lambda loss: None, checkpoint.slot("one"))
    with pytest.raises(Interrupted), checkpoint:
        train(windows, None, network, SETTINGS, interrupt_after(1), checkpoint.slot("two"))
    with Checkpoint(path, IDENTITY, resumed=True) as checkpoint:
        assert checkpoint.slot("two").found is None
        # From nothing but noise: whatever were learnt would be something else.
        noise = np.random.default_rng(1).standard_normal(windows.shape).astype(np.float32)
        again = train(noise, None, network, SETTINGS, lambda loss: None, checkpoint.slot("one"))
    assert again.history == first.history
    assert np.array_equal(again.model.get_weights()[0], first.model.get_weights()[0])


def test_folds_that_are_trained_side_by_side_go_on_too(tmp_path: Path, clock: Callable[[], float]) -> None:
    path, features = tmp_path / "x.checkpoint", PatchFeatures("patches", (1.0, 1.0), 8, 1)
    chosen = [patches.choose_patches(waves(count), 8) for count in (30, 40)]
    whole, loss = patches.train_folds(chosen, features, 110, 0, lambda loss: None)
    with pytest.raises(Interrupted), Checkpoint(path, IDENTITY, clock=clock) as checkpoint:
        patches.train_folds(chosen, features, 110, 0, interrupt_after(40), checkpoint.slot("all"))
    told: list[float] = []
    with Checkpoint(path, IDENTITY, resumed=True) as checkpoint:
        slot = checkpoint.slot("all")
        resumed, resumed_loss = patches.train_folds(chosen, features, 110, 0, told.append, slot)
    assert len(told) == patches.REPORTS
    assert resumed_loss == loss == told[-1]
    for fold, expected_fold in zip(resumed, whole, strict=True):
        for weight, expected in zip(fold, expected_fold, strict=True):
            assert np.array_equal(weight, expected)


# --- The file


def test_a_snapshot_comes_back_as_it_was(tmp_path: Path) -> None:
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2**63 - 1]), np.array(7, np.uint32)]
    kept = Snapshot({"epoch": 3, "state": 2**127}, arrays)
    checkpoint = Checkpoint(tmp_path / "x.checkpoint", IDENTITY)
    checkpoint.slot("fold 1").keep(lambda: kept, over=True)
    checkpoint.slot("fold 2").keep(lambda: kept, over=True)
    checkpoint.save()
    assert [path.name for path in tmp_path.iterdir()] == ["x.checkpoint"]
    found = Checkpoint(tmp_path / "x.checkpoint", IDENTITY, resumed=True).slot("fold 2").found
    assert found is not None
    assert found.document == {"epoch": 3, "state": 2**127}
    for array, expected in zip(found.arrays, arrays, strict=True):
        assert array.dtype == expected.dtype
        assert np.array_equal(array, expected)


def test_snapshots_are_taken_once_a_second_and_written_twice_a_minute(tmp_path: Path) -> None:
    now, taken = 0.0, 0
    path = tmp_path / "x.checkpoint"
    checkpoint = Checkpoint(path, IDENTITY, clock=lambda: now)
    slot = checkpoint.slot("one")

    def take() -> Snapshot:
        nonlocal taken
        taken += 1
        return Snapshot({}, [])

    for epoch in range(1, 100):
        now = epoch / 4
        slot.keep(take)
    assert taken == 24
    assert not path.exists()
    now = 30.0
    slot.keep(take)
    assert path.exists()


@pytest.mark.parametrize("resumed", [False, True])
def test_another_error_leaves_what_was_there_before(tmp_path: Path, resumed: bool) -> None:
    path = tmp_path / "x.checkpoint"
    first = Checkpoint(path, IDENTITY)
    first.slot("one").keep(lambda: Snapshot({}, []), over=True)
    first.save()
    with pytest.raises(ZeroDivisionError), Checkpoint(path, IDENTITY, resumed):
        raise ZeroDivisionError
    assert path.exists()


def test_an_interrupt_before_anything_was_learnt_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.checkpoint"
    with pytest.raises(Interrupted, match="nothing is kept"), Checkpoint(path, IDENTITY):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is no checkpoint, or damaged"),
        (b"PK\x03\x04 and nothing more", "is no checkpoint, or damaged"),
        (b"x,y\n1,2\n", "is no checkpoint, or damaged"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "x.checkpoint"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=complaint):
        Checkpoint(path, IDENTITY, resumed=True)


def test_another_training_is_refused_and_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.checkpoint"
    Checkpoint(path, IDENTITY).save()
    with pytest.raises(CheckpointError, match="with other recordings; give the same command"):
        Checkpoint(path, {**IDENTITY, "recordings": "c"}, resumed=True)


# --- The command

_OPTIONS = ("--arch", "dense", "--units", "8", "--window", "32", "--folds", "3", "--epochs", "12")


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_learnt_and_resuming_gives_the_same_bundle(
    judder_train: Run, recording_file: Path, tmp_path: Path
) -> None:
    whole, out, kept = (tmp_path / name for name in ("a/x-1.judder", "b/x-1.judder", "b/x-1.checkpoint"))
    whole.parent.mkdir()
    out.parent.mkdir()
    result = judder_train("fit", recording_file, "--out", whole, *_OPTIONS)
    assert result.exit_code == 0, result.output
    # In the background of a shell Ctrl-C would be ignored. Each epoch is kept, not each second's last.
    program = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trainer.networks import checkpoint, training
from trainer.cli.main import main
checkpoint.SNAPSHOT_S = 0.0
epoch, epochs = training._Run.epoch, 0
def told(*arguments):
    global epochs
    epochs += 1
    if epochs == 18:
        print("waits", flush=True)
        signal.pause()
    epoch(*arguments)
training._Run.epoch = told
main()
"""
    command = (sys.executable, "-c", program, "fit", recording_file, "--out", out, *_OPTIONS)
    with owned(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    assert said.strip().splitlines()[-1] == (
        f"Error: interrupted; what was learnt is kept in {kept}: give the same command again with "
        f"--resume {kept}"
    )
    assert "Traceback" not in said
    assert [path.name for path in out.parent.iterdir()] == ["x-1.checkpoint"]

    refused = judder_train("fit", recording_file, "--out", out, *_OPTIONS, "--seed", 1, "--resume", kept)
    assert refused.exit_code == 1
    assert "is of a training with other settings" in refused.stderr
    result = judder_train("fit", recording_file, "--out", out, *_OPTIONS, "--resume", kept)
    assert result.exit_code == 0, result.output
    assert out.read_bytes() == whole.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == ["x-1.judder"]
