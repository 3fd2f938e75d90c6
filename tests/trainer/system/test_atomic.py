"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainer.errors import OutputError
from trainer.system.atomic import replacing, write_through


def test_a_file_is_replaced_at_once_and_no_draft_stays(tmp_path: Path) -> None:
    path = tmp_path / "pump.judder"
    path.write_bytes(b"old")
    with replacing(path) as draft:
        assert draft.parent == tmp_path
        write_through(draft, b"new")
        assert path.read_bytes() == b"old"
        draft.replace(path)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_on_the_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "pump.judder"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as draft:
        draft.write_bytes(b"half" + None)  # type: ignore[operator]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_is_none_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=f"there is no folder {tmp_path}/none"),
        replacing(tmp_path / "none/a"),
    ):
        pytest.fail("there is nothing to write to")


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"a\.judder: cannot be written: No space left on device"),
        replacing(tmp_path / "a.judder"),
    ):
        raise OSError(28, os.strerror(28))
    assert list(tmp_path.iterdir()) == []
