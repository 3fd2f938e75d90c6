"""Scores of many windows are those of each window alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inference import scoring, scoring_arrays
from agent.inference.scoring import Tail

NUMBERS = st.floats(-50.0, 1e6)
BODIES = st.lists(st.floats(-10.0, 10.0), min_size=2, max_size=46).map(lambda found: tuple(sorted(found)))
TAILS = st.builds(Tail, BODIES, st.one_of(st.just(0.0), st.floats(-0.5, 0.5)), st.floats(0.01, 10.0))
LOG_PS = st.floats(-600.0, -0.0005)


@given(tail=TAILS, raw=st.lists(NUMBERS, min_size=1, max_size=20))
def test_the_tail_of_many_is_that_of_each(tail: Tail, raw: list[float]) -> None:
    values = [*raw, *tail.body]  # the borders between the ranks, too
    together = scoring_arrays.tail_log_ps(tail, np.array(values))
    assert together.tolist() == pytest.approx([tail.log_p(value) for value in values], rel=1e-9, abs=1e-9)


@given(log_ps=st.lists(LOG_PS, min_size=1, max_size=20), count=st.integers(1, 12))
def test_sidak_of_many_is_that_of_each(log_ps: list[float], count: int) -> None:
    together = scoring_arrays.sidak(np.array(log_ps), count).tolist()
    assert together == pytest.approx([scoring.sidak(log_p, count) for log_p in log_ps], rel=1e-9, abs=1e-9)


@given(rows=st.lists(st.tuples(LOG_PS, LOG_PS, LOG_PS), min_size=1, max_size=10))
def test_many_windows_are_joined_as_each(rows: list[tuple[float, float, float]]) -> None:
    votes = [scoring.Vote(math.log(weight), power) for weight, power in ((0.1, 1.0), (0.4, 0.5), (0.5, 0.2))]
    together = scoring_arrays.joined(np.array(rows), votes).tolist()
    assert together == pytest.approx([scoring.joined(row, votes) for row in rows], rel=1e-12)


@given(log_ps=st.lists(st.floats(-1000.0, 0.0), min_size=1, max_size=20))
def test_scores_of_many_are_those_of_each(log_ps: list[float]) -> None:
    together = scoring_arrays.scores_from_log_ps(np.array(log_ps)).tolist()
    assert together == [scoring.score_from_log_p(log_p) for log_p in log_ps]


def test_the_smallest_of_the_columns_counts() -> None:
    tail = Tail(body=(0.0, 1.0, 2.0, 3.0), shape=0.0, scale=2.0)
    raw = np.array([[1.0, 5.0], [1.0, 1.0]], np.float32)
    # p of 5 is 0.1 / e, of 1 it is 0.7; Sidak for two columns: 1 - (1 - p)^2.
    assert np.exp(scoring_arrays.part_log_ps((tail, tail), raw)) == pytest.approx([0.072222, 0.91], rel=1e-4)
