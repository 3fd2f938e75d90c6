"""What is learnt about: windows of vibration, or of slow process values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from trainer.errors import DataError
from trainer.recordings.subject import take
from trainer.settings import FitSettings

Run = Callable[..., Any]


def test_vibration_takes_the_windows_of_its_rate(make_source: Run, healthy_samples: Run) -> None:
    subject = take([make_source(healthy_samples(2000))], FitSettings())
    # 0.64 s at 100 Hz are 64 samples, 0.04 s are 4.
    assert (subject.window.length, subject.window.hop) == (64, 4)
    assert (subject.axes, subject.rate_hz, subject.process) == (("x", "y"), 100.0, False)
    assert subject.folded.windows.shape[1:] == (64, 2)
    assert subject.groups == []


def test_slow_values_take_short_windows(make_source: Run, healthy_samples: Run) -> None:
    subject = take([make_source(healthy_samples(2000), rate_hz=1.0)], FitSettings())
    assert (subject.window.length, subject.window.hop, subject.process) == (20, 5, True)


@pytest.mark.parametrize(
    ("kind", "rate_hz", "process"), [("process", 100.0, True), ("vibration", 1.0, False)]
)
def test_the_kind_that_is_given_holds(
    make_source: Run,
    healthy_samples: Run,
    kind: Literal["process", "vibration"],
    rate_hz: float,
    process: bool,
) -> None:
    source = make_source(healthy_samples(2000), rate_hz=rate_hz)
    assert take([source], FitSettings(kind=kind)).process is process


def test_length_and_hop_that_are_given_hold(make_source: Run, healthy_samples: Run) -> None:
    source = make_source(healthy_samples(2000), rate_hz=1.0)
    window = take([source], FitSettings(window_length=40, hop=8)).window
    assert (window.length, window.hop) == (40, 8)
    assert take([source], FitSettings(window_length=40)).window.hop == 10


def test_each_of_a_few_recordings_is_left_out_by_itself(make_source: Run, healthy_samples: Run) -> None:
    sources = [make_source(healthy_samples(1500, seed=seed), name=f"day-{seed}") for seed in range(3)]
    subject = take(sources, FitSettings())
    assert [group.tolist() for group in subject.groups] == [[0], [1], [2]]
    assert sorted(set(subject.folded.session.tolist())) == [0, 1, 2]


def test_recordings_that_do_not_go_together_are_refused(make_source: Run, healthy_samples: Run) -> None:
    samples = healthy_samples(1500)
    with pytest.raises(DataError, match="has columns a, b, healthy has x, y"):
        take([make_source(samples), make_source(samples, name="other", columns=("a", "b"))], FitSettings())
    with pytest.raises(DataError, match="train one model per rate"):
        take([make_source(samples), make_source(samples, name="fast", rate_hz=200.0)], FitSettings())
