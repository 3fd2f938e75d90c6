"""From recordings to windows: nothing straddles a gap or a border, and what cannot be learnt is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.recording import Segment
from trainer.datasets import (
    MAX_TRAINING_WINDOWS,
    Source,
    build_dataset,
    common_rate,
    default_window,
    load_source,
)
from trainer.errors import DataError

from conftest import RATE_HZ, healthy_samples, source
