"""What is watched of process values, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.inference.columns import ValueColumns, VariationColumns
from agent.inference.window_numbers import WindowNumbers

# Two channels: 230 V that swing by 4 V either way, and a flow that rests at 32 l/min.
WINDOW = np.array([[[226.0, 32.0], [234.0, 32.0], [226.0, 32.0], [234.0, 32.0]]], np.float32)


def test_a_value_is_told_in_healthy_spreads() -> None:
    columns = ValueColumns("value", (220.0, 33.0), (5.0, 0.5))
    # (230 - 220) / 5, (32 - 33) / 0.5
    assert columns.of(WindowNumbers(WINDOW))[0] == pytest.approx([2.0, -2.0])
    assert columns.names(("voltage", "flow"), 1.0) == ["voltage value", "flow value"]


def test_variation_is_a_logarithm_above_a_floor() -> None:
    columns = VariationColumns("variation", (4.0, 0.5), 0.5)
    # The voltage's RMS without mean is 4 V; the flow rests.
    assert columns.of(WindowNumbers(WINDOW))[0] == pytest.approx([math.log(1.5), math.log(0.5)])
    assert columns.names(("voltage", "flow"), None) == ["voltage variation", "flow variation"]
