"""The folder of waveforms: the order of writing, whatever clock and names say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.waveforms.files import make_room, mark_newest
from agent.waveforms.listing import waveforms_by_alert


def written(folder: Path, name: str, at_s: float, size: int = 1000) -> Path:
    """Write a waveform at a time of the clock."""
    path = folder / f"{name}.wav"
    path.write_bytes(bytes(size))
    os.utime(path, (at_s, at_s))
    mark_newest(path)
    return path


@pytest.mark.parametrize("step_s", [-3e8, -1.0, 0.0, 1e-9, 60.0])
@pytest.mark.parametrize("names", ["abcdef", "fedcba", "cfabed"])
def test_what_was_written_first_makes_room(tmp_path: Path, step_s: float, names: str) -> None:
    """The clock goes on by ``step_s`` from file to file."""
    paths = []
    for turn, name in enumerate(names):
        paths.append(written(tmp_path, name, 1.75e9 + turn * step_s))
        make_room(tmp_path, 3_500, paths[-1])
    assert [path.exists() for path in paths] == [False] * 3 + [True] * 3


def test_side_cars_count_and_go_with_their_files(tmp_path: Path) -> None:
    paths = [written(tmp_path, name, 1.75e9) for name in "ab"]
    for path in paths:
        path.with_suffix(".json").write_bytes(bytes(1_000))
    make_room(tmp_path, 3_999, paths[-1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.json", "b.wav"]


def test_one_that_is_too_large_stays_while_it_is_the_newest(tmp_path: Path) -> None:
    old = written(tmp_path, "z", 1.75e9)
    new = written(tmp_path, "a", 0.0, size=9_000)
    make_room(tmp_path, 5_000, new)
    assert (old.exists(), new.exists()) == (False, True)


def test_waveforms_are_found_by_the_alerts_id(tmp_path: Path) -> None:
    names = ["b-press-raised-0199", "a-press-escalated-0199", "c-pump-raised-0200", "d-pump-asked"]
    for name in names:
        path = tmp_path / f"{name}.wav"
        path.write_bytes(b"")
        mark_newest(path)
    found = waveforms_by_alert(tmp_path, ["0199", "0200", "0201"])
    assert {alert: [path.stem for path in paths] for alert, paths in found.items()} == {
        "0199": names[:2],
        "0200": names[2:3],
        "0201": [],
    }
    assert waveforms_by_alert(tmp_path / "absent", ["0199"]) == {"0199": []}
