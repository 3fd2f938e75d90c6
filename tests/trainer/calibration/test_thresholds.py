"""Lines by sigma, percentile and rate."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.calibration.thresholds import place
from trainer.errors import MethodError
from trainer.settings import Method, parse_method

SCORES = np.array([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sigma:3", 3.0),  # mean 0, standard deviation 1
        ("percentile:100", 1.0),
        ("percentile:50", 0.0),
        ("rate:0.005", 2.5758),  # upper quantile of the standard normal distribution
        ("rate:0.001", 3.0902),
    ],
)
def test_the_line_of_each_method(text: str, line: float) -> None:
    method = parse_method(text)
    assert method.line(SCORES) == pytest.approx(line, abs=1e-4)
    assert str(method) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("median:3", "'median:3' is no threshold method; write sigma:3"),
        ("rate", "'rate': '' is no number"),
        ("sigma:many", "'sigma:many': 'many' is no number"),
        ("sigma:nan", "'sigma:nan': sigma takes 0 to 100"),
        ("rate:0", "'rate:0': rate takes 1e-12 to 0.5"),
        ("rate:0.7", "rate takes"),
        ("percentile:101", "percentile takes 0 to 100"),
        ("sigma:-1", "sigma takes 0 to 100"),
    ],
)
def test_what_is_not_understood_is_told(text: str, complaint: str) -> None:
    with pytest.raises(MethodError, match=complaint):
        parse_method(text)


def test_a_line_on_the_errors_needs_the_errors() -> None:
    method = parse_method("error-sigma:3")
    assert method.line(SCORES, lambda sigmas: 2.0 * sigmas) == 6.0
    with pytest.raises(MethodError, match="'error-sigma:3' is for fit"):
        method.line(SCORES)


def test_two_lines_keep_their_methods() -> None:
    lines = place(Method("sigma", 2.0), Method("rate", 0.001), SCORES)
    assert (lines.warning.score, lines.warning.method) == (2.0, "sigma:2")
    assert lines.alarm.score == pytest.approx(3.0902, abs=1e-4)
    assert lines.alarm.method == "rate:0.001"


def test_an_alarm_line_below_the_warning_line_is_lifted_and_says_so() -> None:
    lines = place(Method("sigma", 5.0), Method("rate", 0.001), SCORES)
    assert lines.alarm.score == lines.warning.score == 5.0
    assert lines.alarm.method == "rate:0.001, lifted to sigma:5"
