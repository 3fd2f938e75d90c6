"""What the picture of a recording says: channels, units, lines and gaps, each at its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_bridge.recording import Recording, Segment
from trainer.recordings.figures import figures_of
from trainer.recordings.png_chart import CHANNELS, picture_of, write_png

TIMES_S = np.arange(8000) / 800
SHAKING = 1.0 + 0.5 * np.sin(2 * np.pi * 50 * TIMES_S)
NOISE = 0.1 * np.random.default_rng(1).standard_normal(8000)


def recording_of(rate_hz: float | None = 800.0, segments: Any = None, **channels: Any) -> Recording:
    samples = np.column_stack(list(channels.values())).astype(np.float32)
    return Recording(
        Path("run.wav"), tuple(channels), samples, rate_hz, segments or (Segment(0, len(samples)),), ()
    )


def drawn(recording: Recording) -> tuple[list[list[Any]], list[str]]:
    """Return the panels by row, and the words above them."""
    picture = picture_of(recording, figures_of(recording))
    panels = [axes for axes in picture.axes if axes.get_label() != "<colorbar>"]
    told = [text.get_text() for text in [*picture.texts, *picture.legends[0].get_texts()]]
    return [panels[start : start + 3] for start in range(0, len(panels), 3)], told


def test_a_channel_is_a_row_with_its_axes_and_units() -> None:
    rows, told = drawn(recording_of(x=SHAKING, y=NOISE))
    assert [len(row) for row in rows] == [3, 3]
    waveform, spectrum, spectrogram = rows[0]
    assert [axes.get_title("left") for axes in rows[0]] == ["x", "spectrum", "spectrogram"]
    assert (waveform.get_xlabel(), waveform.get_ylabel()) == ("time (s)", "acceleration (g)")
    assert (spectrum.get_xlabel(), spectrum.get_ylabel()) == ("frequency (Hz)", "amplitude (g)")
    assert (spectrogram.get_xlabel(), spectrogram.get_ylabel()) == ("time (s)", "frequency (Hz)")
    assert waveform.get_xlim() == spectrogram.get_xlim() == (0.0, 10.0)
    assert spectrum.get_xlim() == (0.0, 400.0)
    assert told == [
        "run.wav: 800 Hz, 10.0 s, 8,000 samples; 2 channels",
        *("measured", "mean ± RMS", "strongest lines"),
    ]


def test_levels_and_lines_are_marked_where_they_are() -> None:
    [[waveform, spectrum, _], [_, flat, _]], _ = drawn(recording_of(x=SHAKING, y=NOISE))
    # A sine of 0.5 has an RMS of 0.3536.
    levels = [line.get_ydata()[0] for line in waveform.lines if line.get_linestyle() == "--"]
    assert levels == pytest.approx([0.6464, 1.3536], abs=1e-4)
    assert waveform.get_title("right") == "RMS 0.354, peak 0.5, crest 1.41"
    [mark] = [line for line in spectrum.lines if line.get_marker() == "v"]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx((50.0, 0.5), abs=0.01)
    assert spectrum.get_title("right") == "lines: 50"
    assert spectrum.get_yscale() == "log"
    assert (flat.get_yscale(), flat.get_title("right")) == ("linear", "lines: none")


def test_the_spectrogram_shows_when_it_shook() -> None:
    late = np.where(TIMES_S < 5, 0.0, SHAKING) + 0.01 * NOISE
    [[_, _, spectrogram]], _ = drawn(recording_of(x=late))
    mesh = spectrogram.collections[0]
    times_s, frequencies_hz = (mesh.get_coordinates()[0, :-1, 0], mesh.get_coordinates()[:-1, 0, 1])
    levels_db = np.asarray(mesh.get_array()).reshape(len(frequencies_hz), len(times_s))
    row = levels_db[np.argmin(np.abs(frequencies_hz - 50))]
    # An amplitude of 0.5 is 6 dB below 1.
    assert row[times_s > 6] == pytest.approx(-6.0, abs=0.5)
    assert row[times_s < 4].max() < -60


def test_units_in_names_are_those_of_the_axes() -> None:
    channels: dict[str, Any] = {"AccX (g)": SHAKING, "GyroX (deg/s)": NOISE, "QuatW": NOISE}
    rows, _ = drawn(recording_of(**channels))
    assert [row[0].get_title("left") for row in rows] == ["AccX", "GyroX", "QuatW"]
    labels = [row[0].get_ylabel() for row in rows]
    assert labels == ["acceleration (g)", "value (deg/s)", "value (as recorded)"]


def test_process_values_are_no_acceleration_and_may_take_hours() -> None:
    [[waveform, spectrum, _]], _ = drawn(recording_of(1 / 60, temperature=NOISE))
    assert waveform.get_ylabel() == "value (as recorded)"
    assert waveform.get_xlabel() == "time (h)"
    assert waveform.get_xlim()[1] == pytest.approx(8000 / 60)
    assert spectrum.get_xlim()[1] == pytest.approx(1 / 120)


def test_gaps_are_marked_unless_there_are_too_many() -> None:
    few = recording_of(segments=(Segment(0, 1600), Segment(1600, 8000)), x=SHAKING)
    [[waveform, _, _]], told = drawn(few)
    [marks] = [line for line in waveform.lines if line.get_marker() == "|"]
    assert list(marks.get_xdata()) == [2.0]
    assert waveform.get_xlabel() == "time (s, gaps left out)"
    assert told[0] == "run.wav: 800 Hz, 10.0 s, 8,000 samples, 1 gap; 1 channel"
    assert told[-1] == "gap"
    many = tuple(Segment(start, start + 40) for start in range(0, 8000, 40))
    [[waveform, _, _]], told = drawn(recording_of(segments=many, x=SHAKING))
    assert [len(line.get_xdata()) for line in waveform.lines if line.get_marker() == "|"] == [0]
    assert "199 gaps" in told[0]
    assert "gap" not in told


def test_what_cannot_be_drawn_is_told() -> None:
    [[_, spectrum, spectrogram], [_, constant, _]], told = drawn(
        recording_of(None, x=SHAKING[:100], still=np.ones(100))
    )
    assert spectrum.get_xlabel() == "frequency (cycles/sample)"
    assert spectrogram.texts[0].get_text() == "too short for a spectrogram"
    assert constant.texts[0].get_text() == "constant"
    assert told[0] == "run.wav: rate unknown, 100 samples; 2 channels"


def test_of_many_channels_the_first_are_drawn() -> None:
    channels: dict[str, Any] = {f"v{index}": NOISE for index in range(11)}
    rows, told = drawn(recording_of(**channels))
    assert len(rows) == CHANNELS == 8
    assert told[0].endswith("; the first 8 of 11 channels")


def test_any_name_can_be_written(tmp_path: Path) -> None:
    names = {"振动": SHAKING, "cost in $x_{": NOISE, "a name as long as a sentence that nobody reads": NOISE}
    recording = recording_of(**names)
    write_png(tmp_path / "run.png", recording, figures_of(recording))
    assert (tmp_path / "run.png").stat().st_size > 50_000
    rows, _ = drawn(recording)
    assert [row[0].get_title("left") for row in rows][1:] == ["cost in $x_{", "a name as long as a sentenc…"]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.ones(1), id="one sample"),
        pytest.param(np.append(np.zeros(299), 1.0), id="moved after the last frame"),
        pytest.param(1e36 * NOISE, id="huge"),
        pytest.param(1e-36 * NOISE, id="tiny"),
    ],
)
def test_odd_recordings_are_drawn_without_a_warning(tmp_path: Path, values: Any) -> None:
    recording = recording_of(x=values)
    write_png(tmp_path / "run.png", recording, figures_of(recording))


def test_the_looks_of_others_stay_as_they_are() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn(recording_of(x=SHAKING))
    assert dict(matplotlib.rcParams) == before
