"""What is learnt about: the kind of model does not hang on a unit that nobody states."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainer.errors import DataError
from trainer.recordings.datasets import load_source
from trainer.recordings.subject import take
from trainer.settings import FitSettings


def test_the_kind_is_not_chosen_by_an_unstated_unit(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    samples = np.random.default_rng(0).standard_normal(10_000)
    np.savez(path, time=np.arange(10_000) * 0.3 + 0.1, x=samples)
    settings = FitSettings()
    with pytest.raises(DataError, match=r"run\.npz: would be 3\.333 Hz if its times were seconds.*--kind"):
        take([load_source(path, None, None)], settings)
    assert take([load_source(path, None, None)], replace(settings, kind="process")).process
    assert take([load_source(path, None, 1 / 0.3)], settings).process
    assert not take([load_source(path, None, 1000 / 0.3)], settings).process
    path.unlink()
    np.savez(path, **{"time (s)": np.arange(10_000) * 0.3 + 0.1, "x": samples})
    assert take([load_source(path, None, None)], settings).process
