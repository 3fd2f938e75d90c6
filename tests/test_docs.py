"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "findings").glob("*.md")])
PLACE = re.compile(
    r"`((?:agent|trainer|firmware_bridge|tests|benchmarks|docs|findings|systemd|requirements)/[\w./-]*)`"
)
LINK = re.compile(r"\]\(((?!https?:|#)[^)#\s]+)")
SECTION = re.compile(r"^### (firmware_bridge|agent|trainer)", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_a_document_names_are_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [place for place in PLACE.findall(text) if not (ROOT / place).exists()]
    missing += [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    assert missing == []


def test_every_room_has_a_row() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    sections = SECTION.split(text)
    assert sections[1::2] == ["firmware_bridge", "agent", "trainer"]
    for package, section in zip(sections[1::2], sections[2::2], strict=True):
        rooms = [path.parent.name + "/" for path in (ROOT / package).glob("*/__init__.py")]
        rooms += [path.name for path in (ROOT / package).glob("*.py") if path.stem != "__init__"]
        table = section.partition("## Where")[0]
        missing = [
            room for room in rooms if f"`{room}`" not in table and room not in ("demo.py", "rounding.py")
        ]
        assert missing in ([], ["errors.py"]), f"{package}: {missing}"
