"""``judder-train report``: one file that is whole, needs nothing else, and shows what there is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.config.alarm import AlarmPolicy
from agent.inference.bundle import Bundle, read_bundle
from agent.inference.detector import Detector
from agent.inference.part import log_p, votes
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import joined, score_from_log_p
from firmware_bridge.recording import save_recording
from trainer.evaluation.scored import score
from trainer.recordings.datasets import load_source
from trainer.recordings.labels import Label, whole
from trainer.report.network import line_alone, network_part
from trainer.report.page import build_report

Run = Callable[..., Any]
DEMO = Path(__file__).parents[3] / "agent" / "demo" / "demo-1.judder"


class Page(HTMLParser):
    """Headings, captions, links, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.captions: list[str] = []
        self.labels: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        named = dict(attrs)
        self.labels += [named["aria-label"] or ""] if tag == "svg" else []
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [named["href"] or ""] if "href" in named else []

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


def report_of(text: str) -> Page:
    """Return a page that is whole, needs nothing else and holds no figure that is not one."""
    page = Page(text)
    assert page.open == []
    assert re.findall(r"(?:src=|url\(|@import|<script|http)", text) == []
    assert [link.removeprefix("#") for link in page.links] == page.ids
    assert len(set(page.ids)) == len(page.ids)
    shown = re.sub(r"<style>.*</style>", "", text, flags=re.S)
    assert re.findall(r"\b(?:nan|inf|None)\b", shown) == []
    assert all(label.endswith(".") and ": ;" not in label for label in page.labels)
    return page


def test_the_whole_report_of_a_real_bundle(judder_train: Run, folder: Path) -> None:
    out = folder / "report.html"
    labelled = ("--data", folder / "mixed.npz", "--labels", folder / "labels.csv")
    result = judder_train("report", DEMO, *labelled, "--out", out)
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    page = report_of(text)
    assert page.headings == [
        "Can it be trusted?",
        "Score over time",
        "Figures",
        "How well the classes part",
        "Signal and spectrum",
        "Learning curve",
        "Reconstruction",
        "Latent space",
        "Quantization",
        "Origin",
    ]
    assert page.captions[0] == "mixed.npz"
    assert {"Score of a window", "Windows by what the network keeps of them"} <= set(page.captions)
    assert sum(caption.startswith("ROC, area ") for caption in page.captions) == 1
    assert "highest score, anomalous: score " in text
    assert "by the calibration 1 healthy window in 1,000,000 lies above" in text
    assert "mixed.npz rows 4000-5599: " in text
    assert 'name="viewport"' in text
    assert [path.name for path in folder.iterdir() if "part" in path.name] == []


def test_without_labels_nothing_is_held_against_anything(judder_train: Run, folder: Path) -> None:
    out = folder / "report.html"
    result = judder_train("report", DEMO, "--data", folder / "mixed.npz", "--out", out)
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    page = report_of(text)
    assert not any(caption.startswith("ROC") for caption in page.captions)
    assert "Nothing is known about these recordings" in text
    assert "not labelled (243)" in text  # windows of 256, hop 32
    assert "Cohen" not in text


@pytest.mark.parametrize("option", ["--normal", "--anomalous"])
def test_one_class_alone_is_reported(judder_train: Run, folder: Path, option: str) -> None:
    out = folder / "report.html"
    result = judder_train("report", DEMO, option, folder / "mixed.npz", "--out", out)
    assert result.exit_code == 0, result.output
    page = report_of(out.read_text(encoding="utf-8"))
    assert not any(caption.startswith("ROC") for caption in page.captions)
    assert "Score of a window" in page.captions


@pytest.mark.parametrize("n_axes", [1, 9])
def test_a_bundle_without_a_network_or_a_rate_is_reported_too(
    judder_train: Run, make_bundle: Run, make_source: Run, folder: Path, n_axes: int
) -> None:
    names = tuple(f"ch{number}" for number in range(n_axes))
    bundle = make_bundle("a&b-1.judder", axes=names, rate_hz=None)
    samples = np.random.default_rng(1).standard_normal((3000, n_axes)).astype(np.float32)
    save_recording(folder / "many.npz", make_source(samples, rate_hz=None, columns=names).recording)
    out = folder / "report.html"
    result = judder_train("report", bundle, "--normal", folder / "many.npz", "--out", out)
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    page = report_of(text)
    assert {"Reconstruction", "Quantization", "Latent space", "Learning curve"}.isdisjoint(page.headings)
    # A waveform and a spectrum for each axis; from the seventh on they are folded away.
    assert [page.captions.count(name) for name in names] == [2] * n_axes
    assert text.count("3 more axes") == (2 if n_axes == 9 else 0)
    assert "frequency (bin)" in text


def test_a_single_window_is_enough(
    judder_train: Run, make_bundle: Run, make_source: Run, tmp_path: Path
) -> None:
    samples = np.random.default_rng(1).standard_normal((64, 3)).astype(np.float32)
    save_recording(tmp_path / "short.npz", make_source(samples, rate_hz=800.0).recording)
    out = tmp_path / "report.html"
    result = judder_train("report", make_bundle(), "--data", tmp_path / "short.npz", "--out", out)
    assert result.exit_code == 0, result.output
    report_of(out.read_text(encoding="utf-8"))


def test_a_long_recording_makes_no_long_report(
    judder_train: Run, make_bundle: Run, make_source: Run, tmp_path: Path
) -> None:
    samples = np.random.default_rng(1).standard_normal((200_000, 1)).astype(np.float32)
    source = make_source(samples, rate_hz=800.0, columns=("x",))
    save_recording(tmp_path / "long.npz", source.recording)
    lines = [f"long.npz,{row},{row + 11},anomaly\n" for row in range(0, 200_000, 20)]
    (tmp_path / "labels.csv").write_text("file,first_row,last_row,label\n" + "".join(lines))
    out = tmp_path / "report.html"
    options = ("--data", tmp_path / "long.npz", "--labels", tmp_path / "labels.csv", "--out", out)
    result = judder_train("report", make_bundle(axes=("x",)), *options)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size < 400_000
    assert "and 9,980 more" in out.read_text(encoding="utf-8")


def with_provenance(**changes: Any) -> Bundle:
    bundle = read_bundle(DEMO)
    manifest = replace(bundle.manifest, provenance={**bundle.manifest.provenance, **changes})
    return replace(bundle, manifest=manifest)


def built(bundle: Bundle, folder: Path) -> str:
    source = load_source(folder / "mixed.npz", bundle.manifest.axes, None)
    scored = score(Detector(bundle.manifest, bundle.models), [whole(source, Label.NORMAL)])
    return build_report(bundle, scored, None, AlarmPolicy())


def test_the_learning_curve_is_drawn_if_the_bundle_holds_it(folder: Path) -> None:
    history = {"loss": [1.0, 0.1, 0.01], "validation_loss": [1.0, 0.2, 0.1]}
    training = {"epochs": 3, "best_epoch": 3, "loss": 0.01, "validation_loss": 0.1, "history": history}
    page = report_of(built(with_provenance(training=training), folder))
    (label,) = {label for label in page.labels if label.startswith("Loss")}
    assert label == (
        "Loss. loss against epoch: training windows 0.01 to 1; held-out windows 0.1 to 1; best, epoch 3 at 3."
    )


def test_the_default_network_tells_its_loss_by_steps(folder: Path) -> None:
    training = {"epochs": 8000, "best_epoch": 8000, "history": {"loss": [1.0, 0.5]}}
    bundle = with_provenance(training=training)
    parts = tuple(
        replace(part, architecture="patches") if isinstance(part, ReconstructionPart) else part
        for part in bundle.manifest.parts
    )
    text = built(replace(bundle, manifest=replace(bundle.manifest, parts=parts)), folder)
    page = report_of(text)
    assert "Loss. loss against step: training windows 0.5 to 1." in page.labels
    assert ">8000</text>" in text


@pytest.mark.parametrize(
    ("training", "told"),
    [
        (None, "nothing is known of its training"),
        ({"epochs": 0}, "nothing is known of its training"),
        (
            {"epochs": 1, "loss": 0.5, "validation_loss": 0.75, "history": {"loss": [0.5]}},
            "solved, not trained",
        ),
        (
            {"epochs": 9, "loss": 0.5, "validation_loss": 0.75},
            "It ended at a loss of training 0.5, held-out 0.75.",
        ),
        ({"epochs": 9, "history": {"loss": "twice"}}, "does not hold the course of its training"),
        ({"epochs": 9, "history": {"loss": [1.0, float("nan")]}}, "does not hold the course of its training"),
        ({"epochs": 9, "history": [1.0]}, "does not hold the course of its training"),
    ],
)
def test_without_a_history_the_report_says_so(folder: Path, training: Any, told: str) -> None:
    text = built(with_provenance(training=training), folder)
    assert told in text
    report_of(text)


def test_quantization_is_compared_over_all_modes_that_are_known(folder: Path) -> None:
    modes = [
        {
            "mode": "int8",
            "size_bytes": 23_400,
            "correlation": 0.9987,
            "largest_difference": 0.125,
            "roc_auc_difference": -0.0012,
            "per_window_us": 12.34,
        },
        {"mode": "float32", "size_bytes": 80_000, "correlation": 1.0},
    ]
    text = built(with_provenance(quantization=modes), folder)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in text.split("<tr>")]
    assert ["int8 (ships)", "23.4 kB", "0.9987", "12.5 %", "-0.0012", "12.3 µs"] in cells
    assert ["float32", "80.0 kB", "1.0000", "-", "-", "-"] in cells


def test_what_healthy_windows_chose_is_told_beside_what_they_did_not(folder: Path) -> None:
    tried = [{"scale": "linear", "bands": 32, "found": 0.5}, {"scale": "sqrt", "bands": 16, "found": 0.625}]
    text = built(with_provenance(choices={"chosen": tried[1], "tried": tried}), folder)
    assert (
        "sqrt amplitude in 16 bands (62% of virtual defects found), not linear amplitude in 32 bands (50% of "
        "virtual defects found)"
    ) in text


def test_quantization_of_an_older_bundle_is_that_of_the_graph_that_ships(folder: Path) -> None:
    text = built(with_provenance(quantization=[], fidelity={"correlation": 0.5}), folder)
    size = len(read_bundle(DEMO).models["model.tflite"])
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in text.split("<tr>")]
    assert ["int8 (ships)", f"{size / 1000:.1f} kB", "0.5000"] in cells


def test_the_error_line_takes_the_score_there_by_itself() -> None:
    manifest = read_bundle(DEMO).manifest
    part = network_part(manifest)
    assert part is not None
    line = manifest.thresholds.alarm.score
    error = line_alone(manifest, part, 0, line)
    assert error is not None

    def score_at(value: float) -> float:
        raw = [value] + [tail.body[len(tail.body) // 2] for tail in part.tails[1:]]
        log_ps = [log_p(part, raw) if other is part else math.log(0.5) for other in manifest.parts]
        return score_from_log_p(manifest.combination.log_p(joined(log_ps, votes(manifest.parts))))

    assert score_at(error) == pytest.approx(line, abs=1e-6)
    assert score_at(0.99 * error) < line


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


def test_axes_of_other_units_are_not_added_up(
    judder_train: Run, make_bundle: Run, make_source: Run, tmp_path: Path
) -> None:
    names = ("a (g)", "turn (deg/s)", "b (g)")
    samples = np.random.default_rng(1).standard_normal((3000, 3)).astype(np.float32)
    save_recording(tmp_path / "mixed.npz", make_source(samples, rate_hz=800.0, columns=names).recording)
    out = tmp_path / "report.html"
    result = judder_train("report", make_bundle(axes=names), "--data", tmp_path / "mixed.npz", "--out", out)
    assert result.exit_code == 0, result.output
    text = out.read_text(encoding="utf-8")
    assert "mixed.npz, root sum of squares of 2 axes, mean removed" in report_of(text).captions
    assert text.count(">vibration (g)</text>") == 2  # on screens and on phones
    assert text.count(">signal (deg/s)</text>") == 1
    assert text.count(">amplitude (deg/s)</text>") == 1


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("block", [0, 1], ids=["light", "dark"])
def test_every_colour_stands_out_from_the_paper(block: int) -> None:
    style = (files("trainer.report") / "templates" / "report.css").read_text(encoding="utf-8")
    palette = dict(re.findall(r"--(\w+): (#\w{6})", re.findall(r":root \{(.*?)\}", style, re.S)[block]))
    paper = luminance(palette.pop("paper"))
    contrast = {
        name: (max(paper, value) + 0.05) / (min(paper, value) + 0.05)
        for name, value in ((name, luminance(colour)) for name, colour in palette.items())
    }
    for name in (
        "ink",
        "soft",
        "normal",
        "anomaly",
        "other",
        "highest",
        "made",
        "warning",
        "alarm",
        "good",
        "open",
        "weak",
    ):
        assert contrast[name] >= 4.5, name  # WCAG AA, text
    assert contrast["ignore"] >= 3.0  # WCAG AA, graphics


def test_slow_values_are_shown_as_they_stand(judder_train: Run, make_source: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    samples = (random.standard_normal((2000, 2)) * [0.5, 2.0] + [20.0, 300.0]).astype(np.float32)
    source = make_source(samples, rate_hz=1.0, columns=("flow (l/min)", "temperature"))
    save_recording(tmp_path / "slow.npz", source.recording)
    bundle, out = tmp_path / "slow-1.judder", tmp_path / "report.html"
    fitted = judder_train("fit", tmp_path / "slow.npz", "--kind", "process", "--out", bundle)
    assert fitted.exit_code == 0, fitted.output
    result = judder_train("report", bundle, "--data", tmp_path / "slow.npz", "--out", out)
    assert result.exit_code == 0, result.output
    page = report_of(out.read_text(encoding="utf-8"))
    assert "Signal" in page.headings
    means = [
        label for label in page.labels if label.startswith("slow.npz, flow (l/min). value (l/min) against")
    ]
    assert len(means) == 2  # on screens and on phones
    # The mean of twenty values of deviation 0.5 strays by less than 0.6 in a hundred such.
    low, high = map(float, re.findall(r"mean ([\d.]+) to ([\d.]+)\.", means[0])[0])
    assert 19.4 < low < 20.0 < high < 20.6
