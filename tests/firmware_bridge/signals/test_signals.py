"""Signal sources: the attractor against its published points, the machine against theory."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.arrays import SignalArray
from firmware_bridge.errors import BridgeError, RecordingError, SignalError
from firmware_bridge.recording import Recording, Segment
from firmware_bridge.signals import (
    SIGNALS,
    Bearing,
    Drivetrain,
    Gear,
    LorenzAttractor,
    Mounting,
    Neighbour,
    RecordingReplay,
    RotatingMachine,
    Shaft,
    SignalSource,
    Silence,
    Unbalance,
    lorenz_points,
    make_signal,
)

QUIET: dict[str, Any] = {"noise_g": (0.0, 0.0, 0.0), "load_variation": 0.0, "gravity_g": (0.0, 0.0, 0.0)}
STILL = ((0.0, 0.0, 0.0),)


def recording(samples: list[list[float]], rate_hz: float | None = 10.0) -> Recording:
    array = np.array(samples, np.float32)
    names = tuple(f"c{index}" for index in range(array.shape[1]))
    return Recording(Path("r.csv"), names, array, rate_hz, (Segment(0, len(array)),), ())


def seconds(duration_s: float, rate_hz: float) -> SignalArray:
    return np.arange(round(duration_s * rate_hz)) / rate_hz


def amplitude(signal_g: SignalArray, rate_hz: float, frequency_hz: float) -> float:
    """Return the amplitude of a line that fits the record."""
    spectrum = np.abs(np.fft.rfft(signal_g)) * 2 / len(signal_g)
    return float(spectrum[round(frequency_hz * len(signal_g) / rate_hz)])


# The first rows of the published healthy_phase_aligned.csv and broken_phase_aligned.csv.
HEALTHY_POINTS = {
    0: (2.08, 3.37536, 3.9708326570666665),
    1: (2.1836288, 3.76812337480039, 3.951947022167916),
    2: (2.310388365984031, 4.182461122398394, 3.944943695175292),
}
BROKEN_POINTS = {
    0: (2.24, 5.198080000000001, 3.794482926933333),
    1: (2.9499392, 8.08768514936087, 3.702026970730504),
    2: (4.182998227846609, 12.182489275416863, 3.833283605314592),
}


@pytest.mark.parametrize(
    ("parameters", "published"),
    [((10.0, 28.0, 8 / 3), HEALTHY_POINTS), ((30.0, 128.0, 28 / 3), BROKEN_POINTS)],
)
def test_first_points_of_the_attractor(
    parameters: tuple[float, float, float], published: dict[int, tuple[float, float, float]]
) -> None:
    a, b, c = parameters
    points = lorenz_points(3, a=a, b=b, c=c)
    for index, point in published.items():
        assert points[index] == pytest.approx(point, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "make"), [("healthy", LorenzAttractor.healthy), ("broken", LorenzAttractor.broken)]
)
def test_all_published_points(data_folder: Path, name: str, make: Callable[..., LorenzAttractor]) -> None:
    published = np.loadtxt(data_folder / "lorenz" / f"{name}_phase_aligned.csv", delimiter=",", skiprows=1)
    assert published.shape == (3000, 3)
    np.testing.assert_allclose(make(scale_g=1.0).acceleration_g(seconds(30, 100)), published, atol=1e-6)


def test_between_two_points_the_attractor_is_straight() -> None:
    source = LorenzAttractor.healthy(step_s=0.01, scale_g=0.5)
    values = source.acceleration_g(np.array([0.0, 0.0025, 0.01]))
    assert values[0] == pytest.approx((1.04, 1.68768, 1.98541632853), abs=1e-9)
    assert values[1, 0] == pytest.approx(1.04 + 0.25 * (1.0918144 - 1.04), abs=1e-9)
    assert values[2, 0] == pytest.approx(1.0918144, abs=1e-9)


def test_the_default_scale_fits_a_16_g_chip() -> None:
    assert 8 < np.abs(LorenzAttractor.broken().acceleration_g(seconds(300, 100))).max() < 16


def test_a_diverging_attractor_says_what_to_do() -> None:
    with pytest.raises(SignalError, match=r"diverge with a=10, b=28, c=2\.66667, h=1; lower h"):
        LorenzAttractor(h=1.0).acceleration_g(seconds(1, 100))


SOURCES: dict[str, Callable[[], SignalSource]] = {
    "lorenz": LorenzAttractor.broken,
    "healthy machine": lambda: RotatingMachine(seed=3),
    "faulty machine": lambda: RotatingMachine(seed=3, severity_g=0.8, fault_at_s=0.3, growth_s=0.5),
    "replay": lambda: RecordingReplay(recording([[1, 2, 3], [4, 5, 6], [7, 8, 9]])),
    "replay, once": lambda: RecordingReplay(recording([[1, 2, 3], [4, 5, 6]]), loop=False),
    "silence": lambda: Silence(seed=3),
    "drivetrain": lambda: Drivetrain(
        shaft=Shaft(speed_variation=0.1, load_variation=0.2),
        unbalance=Unbalance(2e-4, 10.0),
        gear=Gear(23, 1.0),
        bearing=Bearing(defect="inner", severity_m_s2=5.0, fault_at_s=0.3, growth_s=1.0, resonance_hz=280.0),
        mounting=Mounting(390.0, 0.05),
        neighbour=Neighbour(),
        seed=3,
    ),
}


@given(st.sampled_from(sorted(SOURCES)), st.lists(st.integers(0, 1600), max_size=8))
def test_the_signal_does_not_depend_on_how_it_is_asked_for(name: str, cuts: list[int]) -> None:
    times_s = seconds(2, 800)
    whole = SOURCES[name]().acceleration_g(times_s)
    source = SOURCES[name]()
    parts = [source.acceleration_g(part) for part in np.split(times_s, sorted(cuts))]
    assert whole.shape == (1600, 3)
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [RotatingMachine, Silence])
def test_another_seed_is_another_signal(make: Callable[..., SignalSource]) -> None:
    times_s = seconds(1, 100)
    same = make(seed=1).acceleration_g(times_s)
    assert np.array_equal(same, make(seed=1).acceleration_g(times_s))
    assert not np.allclose(same, make(seed=2).acceleration_g(times_s))


def test_silence_is_gravity_and_noise() -> None:
    samples_g = Silence(gravity_g=(0, 0.6, 0.8), noise_g=(0.01, 0.02, 0.0)).acceleration_g(seconds(100, 400))
    assert samples_g.mean(axis=0) == pytest.approx((0, 0.6, 0.8), abs=5e-4)
    assert samples_g.std(axis=0) == pytest.approx((0.01, 0.02, 0.0), rel=0.03)


def test_shaft_harmonics_have_their_amplitude_at_their_frequency() -> None:
    harmonics_g = ((0.12, 0.10, 0.03), (0.04, 0.05, 0.02), (0.02, 0.02, 0.01))
    machine = RotatingMachine(shaft_hz=25.0, harmonics_g=harmonics_g, **QUIET)
    samples_g = machine.acceleration_g(seconds(4, 800))
    for axis in range(3):
        lines_g = [amplitude(samples_g[:, axis], 800, order * 25.0) for order in (1, 2, 3, 4)]
        assert lines_g == pytest.approx([row[axis] for row in harmonics_g] + [0.0], abs=1e-9)
    # Root of half the sum of squares: sqrt((0.12**2 + 0.04**2 + 0.02**2) / 2).
    assert samples_g[:, 0].std() == pytest.approx(0.0905539, abs=1e-6)


def test_gravity_and_noise_of_the_machine() -> None:
    machine = RotatingMachine(harmonics_g=STILL, gravity_g=(0.1, 0.2, 0.97), noise_g=(0.004, 0.008, 0.0))
    samples_g = machine.acceleration_g(seconds(60, 800))
    assert samples_g.mean(axis=0) == pytest.approx((0.1, 0.2, 0.97), abs=2e-4)
    assert samples_g.std(axis=0) == pytest.approx((0.004, 0.008, 0.0), rel=0.02)


def test_the_load_swells_slowly_and_within_its_bounds() -> None:
    quiet = QUIET | {"load_variation": 0.1}
    machine = RotatingMachine(shaft_hz=25.0, harmonics_g=((1.0, 1.0, 1.0),), **quiet)
    samples_g = machine.acceleration_g(seconds(600, 800))[:, 0]
    levels_g = samples_g.reshape(-1, 800).std(axis=1) * math.sqrt(2)
    assert 0.9 <= levels_g.min() < 0.93
    assert 1.07 < levels_g.max() <= 1.1
    assert np.abs(np.diff(levels_g)).max() < 0.02


def test_impacts_come_at_the_defect_frequency() -> None:
    machine = RotatingMachine(
        shaft_hz=25.0, harmonics_g=STILL, severity_g=1.0, resonance_hz=1000.0, damping=0.2, **QUIET
    )
    felt_g = np.abs(machine.acceleration_g(seconds(60, 8000))[:, 1])
    # Each impact rings above a tenth of its start for under 2 ms; the next comes after 11 ms.
    loud = np.flatnonzero(felt_g > 0.1)
    onsets = 1 + np.count_nonzero(np.diff(loud) > 0.005 * 8000)
    # 3.5848 impacts a turn, 25 turns a second, 60 seconds.
    assert onsets == pytest.approx(5377, abs=5)


def test_the_slip_is_a_part_of_the_interval() -> None:
    machine = RotatingMachine(
        shaft_hz=10.0, defect_order=1.0, harmonics_g=STILL, severity_g=1.0, slip=0.02,
        resonance_hz=1000.0, damping=0.2, **QUIET,
    )  # fmt: skip
    felt_g = np.abs(machine.acceleration_g(seconds(100, 8000))[:, 1])
    loud = np.flatnonzero(felt_g > 0.1)
    onsets_s = loud[np.flatnonzero(np.diff(loud, prepend=-8000) > 400)] / 8000
    intervals_s = np.diff(onsets_s)
    assert intervals_s.mean() == pytest.approx(0.1, rel=0.005)
    assert intervals_s.std() == pytest.approx(0.002, rel=0.15)


def test_an_impact_rings_at_the_resonance_and_decays() -> None:
    machine = RotatingMachine(
        shaft_hz=1.0, defect_order=1.0, harmonics_g=STILL, severity_g=2.0, resonance_hz=200.0,
        damping=0.05, impact_direction=(1.0, 0.5, 0.0), **QUIET,
    )  # fmt: skip
    samples_g = machine.acceleration_g(seconds(0.5, 20_000))
    # Zero crossings of sin(2 pi 200 sqrt(1 - 0.05**2) t) up to 50 ms: every 2.5031 ms.
    signs = np.diff(np.signbit(samples_g[1:1001, 0]))
    assert np.count_nonzero(signs) == 19
    # Envelope 2 exp(-0.05 2 pi 200 t) at 1/4 and 1/4 + 5 periods: down to exp(-pi/2) = 0.208.
    peaks_g = [np.abs(samples_g[start : start + 101, 0]).max() for start in (0, 500)]
    assert peaks_g[1] / peaks_g[0] == pytest.approx(0.208, abs=0.005)
    assert peaks_g[0] == pytest.approx(2.0 * math.exp(-math.pi / 40), rel=0.01)
    assert samples_g[:, 1] == pytest.approx(samples_g[:, 0] / 2)
    assert np.abs(samples_g[:, 2]).max() == 0


def test_the_fault_begins_and_grows_when_it_should() -> None:
    machine = RotatingMachine(harmonics_g=STILL, severity_g=1.0, fault_at_s=10.0, growth_s=20.0, **QUIET)
    felt_g = machine.acceleration_g(seconds(50, 800))[:, 1].reshape(50, 800)
    levels_g = felt_g.std(axis=1)
    assert np.all(felt_g[:10] == 0)
    assert np.all(levels_g[10:] > 0)
    full_g = levels_g[35:].mean()
    # Half way through its growth the fault is half as loud.
    assert levels_g[19:21].mean() == pytest.approx(full_g / 2, rel=0.1)
    assert levels_g[30:35].mean() == pytest.approx(full_g, rel=0.1)


def test_a_replay_shows_every_sample_once_at_its_own_rate() -> None:
    replay = RecordingReplay(recording([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 50.0))
    samples_g = replay.acceleration_g(0.0137 + np.arange(6) / 50)
    assert samples_g.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]] * 2


def test_a_replay_may_end_and_may_have_few_channels() -> None:
    replay = RecordingReplay(recording([[1], [2]]), 20.0, loop=False)
    samples_g = replay.acceleration_g(np.arange(4) / 20)
    assert samples_g.tolist() == [[1, 0, 0], [2, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_a_replay_needs_a_rate_and_samples() -> None:
    with pytest.raises(SignalError, match="does not say its sample rate; give rate_hz"):
        RecordingReplay(recording([[1.0]], None))
    with pytest.raises(SignalError, match="holds no samples"):
        RecordingReplay(Recording(Path("r.csv"), ("x",), np.zeros((0, 1), np.float32), 10.0, (), ()))


@pytest.mark.parametrize("kind", [kind for kind in SIGNALS if kind != "replay"])
def test_signals_by_name_with_their_defaults(kind: str) -> None:
    samples_g = make_signal(kind, {}).acceleration_g(seconds(1, 100))
    assert samples_g.shape == (100, 3)
    assert np.all(np.isfinite(samples_g))


def test_parameters_as_a_configuration_file_gives_them() -> None:
    parameters = {"shaft_hz": 25, "harmonics_g": [[0.5, 0, 0]], "noise_g": [0, 0, 0], "seed": 7}
    signal = make_signal("rotor", {**parameters, "load_variation": 0, "gravity_g": [0, 0, 1]})
    samples_g = signal.acceleration_g(seconds(4, 800))
    assert amplitude(samples_g[:, 0], 800, 25) == pytest.approx(0.5)


def test_a_replay_by_name(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("x (g),y (g)\n1,2\n3,4\n")
    signal = make_signal("replay", {"path": str(path), "columns": ["y"], "rate_hz": 10.0, "loop": False})
    assert signal.acceleration_g(np.arange(3) / 10).tolist() == [[2, 0, 0], [4, 0, 0], [0, 0, 0]]
    with pytest.raises(RecordingError, match="no such file"):
        make_signal("replay", {"path": str(tmp_path / "none.csv")})


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (
            "roter",
            {},
            "unknown signal: 'roter'; did you mean 'rotor'.*known are: drivetrain, lorenz, replay",
        ),
        ("rotor", {"shaft": 25}, "unknown parameter of signal 'rotor': 'shaft'; did you mean 'shaft_hz'"),
        ("silence", {"shaft_hz": 25}, r"'shaft_hz' \(known are: gravity_g, noise_g, seed\)"),
        ("rotor", {"shaft_hz": "fast"}, "shaft_hz = 'fast' must be a finite number"),
        ("rotor", {"shaft_hz": True}, "shaft_hz = True must be a finite number"),
        ("rotor", {"shaft_hz": math.nan}, "shaft_hz = nan must be a finite number"),
        ("rotor", {"shaft_hz": 0}, r"shaft_hz = 0\.0 must be above 0"),
        ("rotor", {"severity_g": -1}, r"severity_g = -1\.0 must be 0 or above"),
        ("rotor", {"seed": 1.5}, r"seed = 1\.5 must be a whole number"),
        ("rotor", {"seed": -1}, r"seed = -1 must be 0 or above"),
        ("rotor", {"damping": 1}, "must be below 1, or nothing rings"),
        ("rotor", {"slip": 0.5}, r"slip = 0\.5 must be from 0 to 0\.1"),
        ("rotor", {"noise_g": [0.1, -0.1, 0]}, r"noise_g = -0\.1 must be 0 or above"),
        ("silence", {"noise_g": [0.1, -0.1, 0]}, r"noise_g = -0\.1 must be 0 or above"),
        ("rotor", {"gravity_g": [0, 1]}, r"gravity_g = \[0, 1\] must have 3 values"),
        ("rotor", {"gravity_g": 1}, "gravity_g = 1 must be a list"),
        ("rotor", {"harmonics_g": [[1, 2, "x"]]}, "harmonics_g = 'x' must be a finite number"),
        ("lorenz", {"h": 0}, r"h = 0\.0 must be above 0"),
        ("replay", {}, "signal 'replay' needs the parameter 'path'"),
        ("replay", {"path": "a.csv", "loop": 1}, "loop = 1 must be true or false"),
    ],
)
def test_mistakes_in_a_configuration_are_explained(
    kind: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(SignalError, match=message) as caught:
        make_signal(kind, parameters)
    assert isinstance(caught.value, BridgeError)
    assert isinstance(caught.value, ValueError)
