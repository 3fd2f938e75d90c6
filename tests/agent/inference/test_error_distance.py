"""The Mahalanobis distance of reconstruction errors, against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from agent.inference.error_distance import ErrorDistance, ErrorView

# Covariance [[4, 0], [0, 1]]: W is the inverse root.
WHITENING = ((0.5, 0.0), (0.0, 1.0))


def distance(view: ErrorView) -> ErrorDistance:
    return ErrorDistance(view, (1.0, 2.0), WHITENING, 0.0)


def test_a_row_is_judged_by_all_its_axes() -> None:
    # Absolute errors (1, 2) lie in the centre; (5, 2) 4 / 2 = 2 deviations off, over the root of 2 numbers.
    residual = np.array([[[1.0, -2.0], [-5.0, 2.0], [1.0, 3.0]]], np.float32)
    assert distance("row").of(residual)[0].tolist() == pytest.approx(
        [0.0, 2.0 / np.sqrt(2), 1.0 / np.sqrt(2)]
    )
    assert distance("row").columns(residual).tolist() == [[pytest.approx(2.0 / np.sqrt(2))]]


def test_an_axis_is_judged_by_all_its_rows() -> None:
    residual = np.array([[[1.0, 5.0, 0.0], [-2.0, 2.0, 2.0]]], np.float32)
    expected = [0.0, 2.0 / np.sqrt(2), 0.5 / np.sqrt(2)]
    assert distance("axis").columns(residual)[0].tolist() == pytest.approx(expected)


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="square matrix of the mean's length"):
        ErrorDistance("row", (1.0, 2.0, 3.0), WHITENING, 0.0)
