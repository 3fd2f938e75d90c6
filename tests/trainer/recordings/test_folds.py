"""Folds: no window straddles a gap or two blocks, and what is too short is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference.window import WindowSpec
from firmware_bridge.recording import Recording, Segment
from trainer.errors import DataError
from trainer.recordings import folds
from trainer.recordings.folds import fold_windows, session_groups


def recording(n_samples: int, *segments: Segment, first: int = 0) -> Recording:
    """A ramp: each sample is its own number."""
    samples = np.arange(first, first + n_samples, dtype=np.float32)[:, np.newaxis]
    stretches = segments or (Segment(0, n_samples),)
    return Recording(Path("r"), ("x",), samples, 100.0, stretches, ())


@given(
    n_samples=st.integers(1500, 4000),
    gap=st.integers(1, 3999),
    length=st.sampled_from([16, 25, 32]),
    share=st.integers(1, 4),
    count=st.integers(3, 7),
)
def test_no_window_spans_a_gap_or_two_blocks(
    n_samples: int, gap: int, length: int, share: int, count: int
) -> None:
    gap = min(gap, n_samples - 1)
    whole = recording(n_samples, Segment(0, gap), Segment(gap, n_samples))
    hop = length // share
    folded = fold_windows([whole], WindowSpec(length, hop), count)
    first, last = folded.windows[:, 0, 0].astype(int), folded.windows[:, -1, 0].astype(int)
    assert (last - first == length - 1).all()
    assert not ((first < gap) & (last >= gap)).any()
    borders = np.linspace(0, n_samples, count + 1).round()
    assert (np.searchsorted(borders, first, side="right") - 1 == folded.fold).all()
    assert (np.searchsorted(borders, last, side="right") - 1 == folded.fold).all()
    assert folded.independent == pytest.approx(len(first) * hop / length)


def test_windows_stand_beside_their_own_fold_and_session() -> None:
    recordings = [recording(500), recording(1000, first=10_000)]
    folded = fold_windows(recordings, WindowSpec(10, 10))
    first = folded.windows[:, 0, 0].astype(int)
    assert (folded.session == (first >= 10_000)).all()
    # Blocks of 100 and of 200 samples: ten and twenty windows each.
    within = np.where(first >= 10_000, (first - 10_000) // 200, first // 100)
    assert (within == folded.fold).all()
    assert np.bincount(folded.fold).tolist() == [30, 30, 30, 30, 30]


def test_padding_is_at_the_beginning_of_a_recording_and_after_gaps_only() -> None:
    whole = recording(1000, Segment(0, 500), Segment(500, 1000), first=1)
    folded = fold_windows([whole], WindowSpec(20, 5, "zeros"))
    padded = folded.windows[:, 0, 0] == 0
    last = folded.windows[padded, -1, 0].astype(int)
    # Three windows each begin before the first sample, 1, and before the one after the gap, 501.
    assert sorted(last.tolist()) == [5, 10, 15, 505, 510, 515]


def test_long_recordings_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "MAX_WINDOWS", 100)
    folded = fold_windows([recording(6400)], WindowSpec(32, 16))
    # Five blocks of 1,280 samples hold 79 windows each: of 395 every fourth is kept, 64 samples apart.
    assert len(folded.windows) == 100
    assert set(np.diff(folded.windows[:20, 0, 0])) == {64.0}
    assert folded.independent == 100.0


@pytest.mark.parametrize(
    ("whole", "told"),
    [
        (recording(150), "need 480 samples without a gap, there are 150; record longer"),
        (
            recording(1000, *(Segment(start, start + 20) for start in range(0, 1000, 20))),
            "there are 1000 with 49 gaps",
        ),
    ],
    ids=["short", "gaps"],
)
def test_what_is_too_short_for_the_folds_is_refused(whole: Recording, told: str) -> None:
    with pytest.raises(DataError, match=told):
        fold_windows([whole], WindowSpec(32, 8))


@pytest.mark.parametrize(("n_sessions", "sizes"), [(1, []), (2, [1, 1]), (5, [1] * 5), (7, [2, 2, 1, 1, 1])])
def test_sessions_are_left_out_by_themselves_or_in_groups(n_sessions: int, sizes: list[int]) -> None:
    groups = session_groups(np.repeat(np.arange(n_sessions), 3), 5)
    assert [len(group) for group in groups] == sizes
    assert sorted(np.concatenate(groups).tolist() if groups else []) == (
        list(range(n_sessions)) if groups else []
    )
