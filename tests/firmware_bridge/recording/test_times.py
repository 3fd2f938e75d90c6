"""Which column is the time, what its numbers mean, and what rate they give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from firmware_bridge.errors import RecordingError
from firmware_bridge.recording import Recording, load_recording

Values = npt.NDArray[np.float64]
Write = Callable[..., Path]
ROWS = 4000


def channel(rows: int = ROWS) -> Values:
    return np.round(np.random.default_rng(1).standard_normal(rows), 4)


def as_csv(path: Path, columns: dict[str, Values]) -> Path:
    rows = zip(*(map(repr, values.tolist()) for values in columns.values()), strict=True)
    path.with_suffix(".csv").write_text("\n".join([",".join(columns), *map(",".join, rows)]) + "\n")
    return path.with_suffix(".csv")


def as_npz(path: Path, columns: dict[str, Values]) -> Path:
    np.savez(path.with_suffix(".npz"), **columns)
    return path.with_suffix(".npz")


@pytest.fixture(params=[as_csv, as_npz])
def load(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Recording]:
    """Write columns in a format, and read them."""

    def loaded(columns: dict[str, Values], rate_hz: float | None = None) -> Recording:
        return load_recording(request.param(tmp_path / "run", columns), rate_hz=rate_hz)

    return loaded


Load = Callable[..., Recording]


@pytest.mark.parametrize("name", ["Dauer (s)", "Time [s]", "X/s", "t in s", "elapsed", "Seconds", "X_Value"])
def test_a_time_axis_is_no_channel_whatever_it_is_called(load: Load, name: str) -> None:
    recording = load({name: np.arange(ROWS) / 640, "x": channel()})
    assert recording.columns == ("x",)
    assert recording.rate_hz == pytest.approx(640)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(ROWS) * 0.037 + 5,
        np.arange(ROWS),
        np.arange(ROWS) % 256,
        np.arange(ROWS) // 300,
        np.cumsum(np.random.default_rng(2).uniform(0.9, 1.1, ROWS)),
    ],
)
def test_what_climbs_evenly_is_told_and_left_out(load: Load, values: Values) -> None:
    recording = load({"foo": values, "x": channel()}, rate_hz=500)
    assert recording.columns == ("x",)
    assert recording.rate_hz == 500
    assert "column 'foo' climbs evenly, like times or a counter: it is no channel" in recording.notes


def test_what_does_not_climb_is_a_channel(load: Load) -> None:
    slow = np.cumsum(channel() + 0.1)
    assert load({"x": channel(), "temperature": slow}).columns == ("x", "temperature")
    assert load({"latency (ms)": channel(), "x": channel()}).columns == ("latency (ms)", "x")


@pytest.mark.parametrize("rate_hz", [760, 999, 1344, 2500, 3200, 7100, 25_600])
def test_whole_milliseconds_give_the_rate_of_the_span(load: Load, rate_hz: float) -> None:
    times_ms = np.floor(np.arange(ROWS) / rate_hz * 1000)
    recording = load({"time (ms)": times_ms, "x": channel()})
    assert recording.rate_hz == pytest.approx(rate_hz, rel=0.01)
    assert len(recording.segments) == 1
    assert load({"time (ms)": times_ms, "x": channel()}, rate_hz=rate_hz).rate_hz == rate_hz


@pytest.mark.parametrize("rate_hz", [800, 3333])
def test_pauses_split_however_coarse_the_times_are(load: Load, rate_hz: float) -> None:
    times_s = np.arange(ROWS) / rate_hz
    times_s[1000:] += 0.5
    times_s[2500:] += 60
    recording = load({"time (ms)": np.floor(times_s * 1000), "x": channel()})
    assert [segment.start for segment in recording.segments] == [0, 1000, 2500]
    assert recording.rate_hz == pytest.approx(rate_hz, rel=0.01)


@pytest.mark.parametrize("scale", [1, 1e3, 1e6])
def test_times_since_1970_tell_their_unit_by_their_digits(load: Load, scale: float) -> None:
    times = np.floor((1_700_000_000 + np.arange(ROWS) / 400) * scale)
    assert load({"timestamp": times, "x": channel()}).rate_hz == pytest.approx(400, rel=0.001)


@pytest.mark.parametrize(
    ("times", "question"),
    [
        (45_000.5 + np.arange(ROWS) / 800 / 86_400, "Is this in days"),
        (739_000.25 + np.arange(ROWS) / 86_400, "Is this in days"),
        (np.floor(np.arange(ROWS) * 1.25), "milliseconds, or samples"),
        (np.arange(ROWS) * 1.25 + 0.5, "Is this in milliseconds"),
    ],
)
def test_a_unit_that_nobody_states_is_asked_for(load: Load, times: Values, question: str) -> None:
    with pytest.raises(RecordingError, match=rf"column 'time': states no unit.*{question}.*give --rate"):
        load({"time": times, "x": channel()})


@pytest.mark.parametrize("unit_s", [1, 1e-3, 1e-6, 86_400, 1 / 800])
def test_a_given_rate_tells_the_unit(load: Load, unit_s: float) -> None:
    times = 45_000 + np.arange(ROWS) / 800 / unit_s
    assert load({"time": times, "x": channel()}, rate_hz=800).rate_hz == 800


def test_a_given_rate_that_agrees_in_no_unit_is_refused(load: Load) -> None:
    with pytest.raises(
        RecordingError, match="given rate is 500 Hz, but the column 'time' says 800 Hz as seconds"
    ):
        load({"time": np.arange(ROWS) / 800, "x": channel()}, rate_hz=500)


def test_impossible_rates_are_refused(load: Load) -> None:
    with pytest.raises(RecordingError, match=r"would be 8e\+08 Hz, more than any accelerometer"):
        load({"time (us)": np.arange(ROWS) / 800, "x": channel()})
    with pytest.raises(RecordingError, match=r"a sample rate of 1e\+06 Hz is not possible"):
        load({"x": channel()}, rate_hz=1e6)


def test_times_of_too_few_digits_say_so(load: Load) -> None:
    recording = load({"time (s)": np.full(ROWS, 1.7e9), "x": channel()})
    assert recording.rate_hz is None
    assert "the times of 'time (s)' have too few digits: all are the same" in recording.notes


def test_two_rates_that_disagree_are_both_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", x=channel(), fs=800.0, sample_rate=1600.0)
    with pytest.raises(RecordingError, match="states two rates: fs = 800 and sample_rate = 1600"):
        load_recording(tmp_path / "run.npz")
