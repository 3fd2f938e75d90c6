"""The search: what may be tried, what becomes of a trial, how it goes on, and what it prints."""

from __future__ import annotations

import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from firmware_bridge.recording import Recording, Segment, save_recording
from trainer.errors import Interrupted, SearchError, SpaceError, TrainingError
from trainer.settings import TrainingSettings
from trainer.sweep import search, trials
from trainer.sweep.space import Dimension, Space, default_space, load_space, network_of, searchable
from trainer.sweep.trials import Job, open_study, run_trial
from trainer.system.quiet import load_keras

Run = Callable[..., Any]

IDENTITY = {"settings": "a", "recordings": "b"}
SPACE = Space(
    "dense",
    (
        Dimension("width", 8, 16),
        Dimension("depth", choices=(1,)),
        Dimension("latent", 2, 6),
        Dimension("learning_rate", 1e-3, 1e-1, log=True),
        Dimension("batch_size", choices=(32,)),
    ),
)


def waves(n_windows: int, seed: int, noise: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    phase = random.uniform(0.0, 2 * np.pi, (n_windows, 1, 2))
    windows = 1.4 * np.sin(np.pi * np.arange(16)[:, None] / 4 + phase)
    return (windows + noise * random.standard_normal(windows.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def job() -> Job:
    load_keras()
    labelled = np.concatenate([waves(20, 2), waves(20, 3, noise=1.0)])
    settings = TrainingSettings(epochs=6)
    truth = np.repeat([False, True], 20)
    return Job(
        space=SPACE,
        training=settings,
        objective="loss",
        metric="mae",
        learnt=waves(60, 0),
        checked=waves(30, 1),
        labelled=labelled,
        truth=truth,
    )


# --- Trials


def test_a_search_gets_better_and_goes_on_where_it_ended(job: Job, tmp_path: Path) -> None:
    storage = tmp_path / "study.journal"
    finished: list[int] = []
    search.search(
        job,
        open_study(storage, IDENTITY, "loss"),
        storage,
        trials=3,
        jobs=1,
        seed=0,
        on_trial=finished.append,
    )
    assert finished == [0, 1, 2, 3]
    study = open_study(storage, IDENTITY, "loss")
    search.search(job, study, storage, trials=8, jobs=1, seed=0, on_trial=finished.append)
    assert finished[4:] == [3, 4, 5, 6, 7, 8]
    values = [trial.value for trial in study.trials if trial.state.name == "COMPLETE"]
    assert len(study.trials) == 8
    assert study.best_value == min(values) < 0.98  # which is the mean square of what is to be reproduced
    best = study.best_trial
    assert best.user_attrs["epochs"] <= 6
    width, latent = best.params["width"], best.params["latent"]
    # 32 inputs: 32 x w + w, w x l + l, l x w + w, w x 32 + 32
    assert best.user_attrs["parameters"] == 66 * width + 2 * width * latent + latent + 32


def test_the_same_seed_tries_the_same(job: Job, tmp_path: Path) -> None:
    tried = []
    for name in ("one", "two"):
        study = open_study(tmp_path / name, IDENTITY, "loss")
        search.search(job, study, tmp_path / name, trials=2, jobs=1, seed=7, on_trial=lambda done: None)
        tried.append([(trial.params, trial.value) for trial in study.trials])
    assert tried[0] == tried[1]
    assert tried[0][0] != tried[0][1]


def test_labelled_windows_judge_by_how_well_they_are_told_apart(job: Job, tmp_path: Path) -> None:
    study = open_study(tmp_path / "study", IDENTITY, "roc-auc")
    trial = run_trial(replace(job, objective="roc-auc"), study, 0)
    assert study.direction.name == "MAXIMIZE"
    assert trial.value is not None
    assert 0.8 < trial.value <= 1.0
    assert trial.intermediate_values[1] < 0.0


def test_a_trial_that_is_worse_than_most_is_ended_early(job: Job, tmp_path: Path) -> None:
    study = open_study(tmp_path / "study", IDENTITY, "loss")
    for _ in range(5):
        good = study.ask()
        for epoch in range(1, 7):
            good.report(1e-6, epoch)
        study.tell(good, 1e-6)
    trial = run_trial(job, study, 0)
    assert trial.state.name == "PRUNED"
    assert trial.user_attrs["epochs"] == 3  # after which the warm-up is over


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (MemoryError(), "FAIL", "out of memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: 8 GiB"), "FAIL", "out of memory"),
        (TrainingError("training diverges"), "PRUNED", "training diverges"),
    ],
)
def test_what_goes_wrong_ends_one_trial_only(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, state: str, reason: str
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    study = open_study(tmp_path / "study", IDENTITY, "loss")
    monkeypatch.setattr(trials, "train", fail)
    trial = run_trial(job, study, 0)
    assert trial.state.name == state
    assert trial.user_attrs["reason"] == reason
    monkeypatch.undo()
    assert run_trial(job, study, 1).state.name == "COMPLETE"


def test_an_error_of_our_own_is_not_hidden(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(trials, "train", fail)
    with pytest.raises(ZeroDivisionError):
        run_trial(job, open_study(tmp_path / "study", IDENTITY, "loss"), 0)


def test_ctrl_c_keeps_the_trials_and_says_how_to_go_on(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "study"
    study = open_study(storage, IDENTITY, "loss")
    run_trial(job, study, 0)

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "train", interrupt)
    with pytest.raises(Interrupted, match=r"2 trials are kept in .*: give the same command again to go on"):
        search.search(job, study, storage, trials=5, jobs=1, seed=0, on_trial=lambda done: None)
    again = open_study(storage, IDENTITY, "loss")
    assert [trial.state.name for trial in again.trials] == ["COMPLETE", "FAIL"]


@pytest.mark.slow
def test_processes_share_a_search_and_one_that_is_killed_costs_its_trial_only(
    job: Job, tmp_path: Path
) -> None:
    storage = tmp_path / "study"
    study = open_study(storage, IDENTITY, "loss")
    killed: list[int] = []
    over = threading.Event()

    def kill_the_first() -> None:
        while not (killed or over.is_set()):
            for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
                if "pid" in trial.user_attrs:
                    killed.append(trial.user_attrs["pid"])
                    os.kill(killed[0], signal.SIGKILL)
                    break
            time.sleep(0.01)

    # Long enough to be caught in the act.
    long = replace(job, training=TrainingSettings(epochs=150, patience=150))
    thread = threading.Thread(target=kill_the_first)
    thread.start()
    try:
        search.search(long, study, storage, trials=4, jobs=2, seed=0, on_trial=lambda done: None)
    finally:
        over.set()
        thread.join()
    states = sorted(trial.state.name for trial in study.trials)
    assert len(states) == 4
    assert states.count("FAIL") == 1
    failed = next(trial for trial in study.trials if trial.state.name == "FAIL")
    assert failed.user_attrs["reason"] == "out of memory: its process was killed"
    assert len({trial.user_attrs["pid"] for trial in study.trials}) >= 2


# --- The storage


def test_a_search_of_other_recordings_is_refused(tmp_path: Path) -> None:
    open_study(tmp_path / "study", IDENTITY, "loss")
    with pytest.raises(SearchError, match="is of a search with other recordings; give the same command"):
        open_study(tmp_path / "study", {**IDENTITY, "recordings": "c"}, "loss")


def test_a_storage_of_somebody_else_is_refused(tmp_path: Path) -> None:
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "study"))
    optuna.create_study(study_name="theirs", storage=optuna.storages.JournalStorage(backend))
    with pytest.raises(SearchError, match=r"holds another study \(theirs\); choose another file"):
        open_study(tmp_path / "study", IDENTITY, "loss")


@pytest.mark.parametrize("content", [b"x,y\n1,2\n", b"[1, 2]\n", b"\xff\xfe\n"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "study").write_bytes(content)
    with pytest.raises(SearchError, match="is no storage of a search"):
        open_study(tmp_path / "study", IDENTITY, "loss")
    assert (tmp_path / "study").read_bytes() == content


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="cannot be used: No such file or directory"):
        open_study(tmp_path / "nowhere" / "study", IDENTITY, "loss")


# --- The space


@pytest.mark.parametrize("architecture", searchable())
def test_each_architecture_has_a_space_of_its_own(architecture: str) -> None:
    space = {dimension.name: dimension for dimension in default_space(architecture).dimensions}
    assert (space["batch_size"].low, space["batch_size"].high, space["batch_size"].log) == (8, 512, True)
    assert (space["learning_rate"].low, space["learning_rate"].high) == (1e-3, 1e-1)
    assert space["learning_rate"].log
    if architecture != "lstm":
        assert (space["latent"].low, space["latent"].high) == (8, 16)


@pytest.mark.parametrize(
    ("architecture", "units"),
    [
        ("dense", (64, 32, 10, 32, 64)),
        ("spectral", (64, 32, 10, 32, 64)),
        ("conv", (64, 32, 10)),
        ("lstm", (64, 64)),
        ("lstm-bottleneck", (64, 32, 10)),
        ("vae", (64, 32, 10)),
    ],
)
def test_width_depth_and_latent_size_become_layers(architecture: str, units: tuple[int, ...]) -> None:
    network = network_of(architecture, {"width": 64, "depth": 2, "latent": 10, "dropout": 0.25})
    assert network.units == units
    assert network.dropout == 0.25


def test_a_file_names_what_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        '\ufeffactivation = "tanh"\nwidth = { low = 4, high = 8 }\ndropout = { choices = [0.0, 0.25] }\n'
    )  # as some editors save it
    space = {dimension.name: dimension for dimension in load_space(path, "dense").dimensions}
    assert space["activation"].choices == ("tanh",)
    assert (space["width"].low, space["width"].high, space["width"].log) == (4, 8, False)
    assert space["dropout"].choices == (0.0, 0.25)
    assert space["latent"] == Dimension("latent", 8, 16)
    assert len(space) == 7


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("with = { low = 4, high = 8 }", "'with' is nothing that can be searched for dense; did you mean"),
        ("kernel = 5", "'kernel' is nothing that can be searched for dense"),
        ("width = { low = 8, high = 4 }", "width: nothing lies between 8 and 4"),
        ("width = { low = 4.5, high = 8 }", "width: 4.5 is not a whole number"),
        ("width = { low = 4 }", "width: write { low = ..., high = ... }, { choices = [...] } or one value"),
        ("width = { low = 4, high = 8, step = 2 }", "width: write { low"),
        ("dropout = { low = 0.0, high = 0.5, log = true }", "dropout: a logarithmic range begins above 0"),
        ("dropout = 0.95", "dropout: 0.95 is not within 0 to 0.9"),
        ("learning_rate = nan", "learning_rate: nan is not within"),
        ("learning_rate = 1" + "0" * 400, "is not within 1e-09 to 1000"),
        ('activation = "sigmoid"', "activation: 'sigmoid' is not one of relu, tanh"),
        ("activation = { low = 1, high = 2 }", "activation: write { choices = [...] } or one value"),
        ("latent = { choices = [] }", "latent: choices are a list of one value or more"),
        ("latent = true", "latent: True is not a whole number"),
        ("latent = {", "not valid TOML"),
    ],
)
def test_a_space_that_makes_no_sense_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(SpaceError) as caught:
        load_space(path, "dense")
    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


# --- The command

_QUICK = ("--window", 32, "--trials", 2, "--epochs", 2)


def test_the_command_prints_the_best_trials_and_how_to_make_the_bundle(
    judder_train: Run, recording_file: Path, healthy_samples: Run, tmp_path: Path
) -> None:
    noisy = tmp_path / "noisy.npz"
    samples = healthy_samples(1500, seed=5)
    samples += np.random.default_rng(0).normal(0.0, 0.1, samples.shape).astype(np.float32)
    save_recording(noisy, Recording(noisy, ("x", "y"), samples, 100.0, (Segment(0, 1500),), ()))
    storage = tmp_path / "study.journal"
    arguments = ("sweep", recording_file, "--study", storage, *_QUICK)
    labelled = ("--normal", recording_file, "--anomalous", noisy)
    result = judder_train(*arguments, *labelled)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["trial", "ROC", "AUC", "epochs"]
    assert lines[4] == "2 trials: 2 to the end, 0 ended early, 0 failed"
    command = shlex.split(lines[-1])
    assert command[:3] == ["judder-train", "fit", str(recording_file)]
    assert {"--window=32", "--epochs=2", "--arch=dense", "--features=raw"} < set(command)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noisy.npz", "study.journal"]

    again = judder_train(*arguments, *labelled, "--json")
    document = json.loads(again.stdout)
    assert shlex.split(document["command"]) == command
    assert document["objective"] == "roc-auc"
    best = document["trials"][0]
    assert float(lines[1].split()[1]) == pytest.approx(best["value"], rel=1e-4)
    assert f"--learning-rate={best['parameters']['learning_rate']}" in command

    refused = judder_train(*arguments)
    assert refused.exit_code == 1
    assert "is of a search with other recordings and objective" in refused.stderr


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        ("--arch pca", 2, "'pca' is not one of 'dense', 'spectral'"),
        ("--objective pr-auc", 2, "--objective pr-auc needs labelled recordings"),
        ("--normal {data} --window 32", 1, "roc-auc needs windows of both kinds, there are"),
        ("--arch lstm --features spectrum", 1, "lstm takes samples in the order of time"),
        ("--columns x,q", 1, "column 'q': not found"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    judder_train: Run, recording_file: Path, tmp_path: Path, options: str, code: int, complaint: str
) -> None:
    filled = options.format(data=recording_file).split()
    result = judder_train("sweep", recording_file, "--study", tmp_path / "study", *filled)
    assert result.exit_code == code
    assert complaint in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_the_default_space_is_printed_for_a_file_of_ones_own(judder_train: Run, tmp_path: Path) -> None:
    result = judder_train("sweep", "--print-space", "conv")
    assert result.exit_code == 0
    path = tmp_path / "space.toml"
    path.write_text(result.stdout)
    assert load_space(path, "conv") == default_space("conv")
