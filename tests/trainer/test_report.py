"""``judder-train report``: one file that is whole, needs nothing else, and shows what there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.recording import save_recording

Run = Callable[..., Any]
DEMO = Path(__file__).parents[2] / "agent" / "demo" / "demo-1.judder"


class Page(HTMLParser):
    """Headings, captions, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.captions: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if self.open and self.open[-1] == "figcaption":
            self.captions.append(data)


@pytest.fixture
def folder(tmp_path: Path, make_source: Run) -> Path:
    """Ten seconds at 800 Hz, three times as loud for two of them."""
    samples = 0.1 * np.random.default_rng(1).standard_normal((8000, 3)).astype(np.float32)
    samples[4000:5600] *= 3.0
    save_recording(tmp_path / "mixed.npz", make_source(samples, rate_hz=800.0).recording)
    (tmp_path / "labels.csv").write_text("file,first_row,last_row,label\nmixed.npz,4000,5599,anomaly\n")
    return tmp_path


def test_the_whole_report_of_a_real_bundle(judder_train: Run, folder: Path) -> None:
    out = folder / "report.html"
    labelled = ("--data", folder / "mixed.npz", "--labels", folder / "labels.csv")
    result = judder_train("report", DEMO, *labelled, "--out", out)
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.headings == [
        "Thresholds",
        "Figures",
        "Score over time",
        "Distributions",
        "How well the classes part",
        "Signal",
        "Spectrum",
        "Reconstruction",
        "Quantization",
        "Origin",
    ]
    assert page.captions[0] == "mixed.npz"
    assert {"ROC", "Precision and recall", "Scores of the windows", "Spectrum, z"} <= set(page.captions)
    assert sum(caption.startswith("x, worst window, score ") for caption in page.captions) == 2
    assert "by the calibration 1 healthy window in 1,000,000 lies above" in text
    assert "mixed.npz rows 4000-5599: " in text
    assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.S)
    assert re.findall(r"(?:src|href|url|@import|<script)", text) == []
    assert [path.name for path in folder.iterdir() if "part" in path.name] == []


def test_without_labels_there_are_no_figures_and_no_curves(judder_train: Run, folder: Path) -> None:
    out = folder / "report.html"
    result = judder_train("report", DEMO, "--data", folder / "mixed.npz", "--out", out)
    assert result.exit_code == 0, result.output
    page = Page(out.read_text(encoding="utf-8"))
    assert "Figures" not in page.headings
    assert "ROC" not in page.captions
    assert "Scores of the windows" in page.captions


def test_a_bundle_without_a_network_or_a_rate_is_reported_too(
    judder_train: Run, make_bundle: Run, folder: Path
) -> None:
    bundle = make_bundle("a&b-1.judder", rate_hz=None)
    out = folder / "report.html"
    result = judder_train("report", bundle, "--normal", folder / "mixed.npz", "--out", out)
    assert result.exit_code == 0, result.output
    page = Page(out.read_text(encoding="utf-8"))
    assert "Reconstruction" not in page.headings
    assert "Quantization" not in page.headings


def test_names_from_outside_do_not_become_markup(judder_train: Run, folder: Path) -> None:
    name = folder / "<script>alert(1)<script>.npz"
    (folder / "mixed.npz").rename(name)
    out = folder / "report.html"
    assert judder_train("report", DEMO, "--normal", name, "--out", out).exit_code == 0
    assert "<script" not in out.read_text(encoding="utf-8")


def test_what_cannot_be_written_is_one_line_and_leaves_nothing(judder_train: Run, folder: Path) -> None:
    before = sorted(folder.iterdir())
    out = folder / "absent" / "report.html"
    result = judder_train("report", DEMO, "--normal", folder / "mixed.npz", "--out", out)
    assert result.exit_code == 1
    assert "report.html: cannot be written" in result.stderr
    assert sorted(folder.iterdir()) == before


def test_a_report_needs_recordings(judder_train: Run, folder: Path) -> None:
    result = judder_train("report", DEMO, "--out", folder / "report.html")
    assert result.exit_code == 2
    assert "no recordings: give --data" in result.stderr
