"""The machine from its parts: every line at its frequency with its level, against theory."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import SignalError
from firmware_bridge.signals import (
    Bearing,
    Drivetrain,
    Gear,
    Geometry,
    Looseness,
    Misalignment,
    Mounting,
    Neighbour,
    Shaft,
    Unbalance,
    make_signal,
)
from firmware_bridge.signals.impulses import Mode

FloatArray = npt.NDArray[np.float64]
RATE_HZ = 4096.0
SECONDS = 4.0
G_M_S2 = 9.80665


def felt(seconds: float = SECONDS, rate_hz: float = RATE_HZ, **parts: object) -> FloatArray:
    """Return what a quiet machine of some parts makes felt, in m/s^2 and without gravity."""
    quiet = {"noise_m_s2": (0.0, 0.0, 0.0), "gravity_g": (0.0, 0.0, 0.0)}
    machine = Drivetrain(**{**quiet, **parts})  # type: ignore[arg-type]  # parts of any kind
    return machine.acceleration_g(np.arange(round(seconds * rate_hz)) / rate_hz) * G_M_S2


def spectrum(samples: FloatArray, seconds: float = SECONDS) -> dict[float, complex]:
    """Return the lines above a millionth: frequency to amplitude and phase."""
    lines = np.fft.rfft(samples) * 2 / len(samples)
    return {index / seconds: complex(lines[index]) for index in np.flatnonzero(np.abs(lines) > 1e-6)}


def levels(samples: FloatArray) -> dict[float, float]:
    return {frequency: abs(line) for frequency, line in spectrum(samples).items()}


def test_the_orders_of_the_cwru_bearing() -> None:
    # CWRU Bearing Data Center, drive end SKF 6205: inner 5.4152, outer 3.5848, cage 0.39828, ball 4.7135.
    geometry = Geometry()
    assert geometry.bpfi == pytest.approx(5.4152, abs=5e-5)
    assert geometry.bpfo == pytest.approx(3.5848, abs=5e-5)
    assert geometry.ftf == pytest.approx(0.39828, abs=5e-5)
    assert 2 * geometry.bsf == pytest.approx(4.7135, abs=1e-4)


def test_the_contact_angle_brings_the_races_together() -> None:
    # cos 60 degrees halves the ratio of 0.4: 10 / 2 * (1 - 0.2), 10 / 2 * (1 + 0.2), 2.5 / 2 * (1 - 0.04).
    geometry = Geometry(balls=10, ball_diameter_m=0.02, pitch_diameter_m=0.05, contact_angle_deg=60.0)
    orders = (geometry.bpfo, geometry.bpfi, geometry.ftf, geometry.bsf)
    assert orders == pytest.approx((4.0, 6.0, 0.4, 1.2))


def test_unbalance_is_force_over_mass() -> None:
    samples = felt(shaft=Shaft(25.0), unbalance=Unbalance(moment_kg_m=2e-4, mass_kg=10.0))
    # 2e-4 kg m * (2 pi 25 / s)^2 / 10 kg = 0.05 pi^2 m/s^2.
    for axis in (0, 1):
        assert levels(samples[:, axis]) == pytest.approx({25.0: 0.4934802})
    assert levels(samples[:, 2]) == {}
    turned = spectrum(samples[:, 1])[25.0] / spectrum(samples[:, 0])[25.0]
    assert turned == pytest.approx(-1j)


def test_unbalance_grows_with_the_square_of_the_speed() -> None:
    unbalance = Unbalance(2e-4, 10.0)
    slow, fast = (felt(shaft=Shaft(speed), unbalance=unbalance)[:, 0].std() for speed in (20.0, 40.0))
    assert fast / slow == pytest.approx(4.0)


def test_misalignment_shakes_twice_a_turn_and_along_the_shaft() -> None:
    samples = felt(shaft=Shaft(20.0), misalignment=Misalignment(parallel_m_s2=1.0, angular_m_s2=0.5))
    assert levels(samples[:, 0]) == pytest.approx({40.0: 1.0})
    assert levels(samples[:, 1]) == pytest.approx({40.0: 0.5})
    assert levels(samples[:, 2]) == pytest.approx({20.0: 0.5, 40.0: 0.25})


def test_looseness_has_halves_of_the_speed() -> None:
    samples = felt(shaft=Shaft(20.0), looseness=Looseness(amplitude_m_s2=2.0, lines_n=5))
    for axis in range(3):
        expected = {10.0: 2.0, 20.0: 1.0, 30.0: 2 / 3, 40.0: 0.5, 50.0: 0.4}
        assert levels(samples[:, axis]) == pytest.approx(expected)


def test_gear_mesh_with_its_sidebands() -> None:
    gear = Gear(teeth=23, amplitude_m_s2=3.0, multiples=2, modulation=0.2)
    samples = felt(shaft=Shaft(20.0), gear=gear)
    expected = {440.0: 0.3, 460.0: 3.0, 480.0: 0.3, 900.0: 0.15, 920.0: 1.5, 940.0: 0.15}
    assert levels(samples[:, 0]) == pytest.approx(expected)


def test_the_mesh_is_louder_once_a_turn() -> None:
    gear = Gear(teeth=40, amplitude_m_s2=1.0, multiples=1, modulation=0.5)
    samples = felt(shaft=Shaft(16.0), gear=gear)[:, 0]
    # 256 samples a turn, 6.4 a tooth: the envelope swings between 0.5 and 1.5.
    envelope = np.abs(samples).reshape(-1, 32).max(axis=1)
    assert envelope.max() == pytest.approx(1.5, abs=0.05)
    # An eighth of a turn beside the lowest point: up to 1 - 0.5 cos 45 degrees.
    assert 0.5 <= envelope.min() <= 0.646


def test_the_machine_next_door_has_its_own_speed() -> None:
    samples = felt(shaft=Shaft(20.0), neighbour=Neighbour(speed_hz=16.25, amplitude_m_s2=0.3, multiples=3))
    assert levels(samples[:, 2]) == pytest.approx({16.25: 0.3, 32.5: 0.15, 48.75: 0.1})


def test_the_mounting_lifts_what_is_near_its_resonance() -> None:
    mounting = Mounting(resonance_hz=800.0, damping=0.05)
    # H = 1 / (1 - r^2 + 2 i z r): at half the resonance 1.332, at it 1 / (2 z).
    for speed_hz, gain in ((400.0, 1 / math.hypot(0.75, 0.05)), (800.0, 10.0), (8.0, 1.0001)):
        samples = felt(shaft=Shaft(speed_hz), mounting=mounting, misalignment=Misalignment(0.0, 1.0))
        assert abs(spectrum(samples[:, 2])[speed_hz]) == pytest.approx(gain, rel=1e-4)


def test_the_mounting_rings_by_itself_after_an_impact() -> None:
    mounting, pole = Mounting(resonance_hz=500.0, damping=0.03), complex(-150.0, 2 * math.pi * 300.0)
    modes = mounting.felt(Mode(pole, -1j))
    step_s = 1e-6
    times_s = np.arange(20_000) * step_s
    told = sum((mode.weight * np.exp(mode.pole * times_s)).real for mode in modes)
    # The equation of motion, step by step: y'' = w^2 (u - y) - 2 z w y'.
    natural = 2 * math.pi * 500.0
    driven = np.exp(-150.0 * times_s) * np.sin(2 * math.pi * 300.0 * times_s)
    position = speed = 0.0
    walked = np.empty_like(times_s)
    for index, drive in enumerate(driven.tolist()):
        walked[index] = position
        speed += step_s * (natural**2 * (drive - position) - 2 * 0.03 * natural * speed)
        position += step_s * speed
    assert told == pytest.approx(walked, abs=0.01)
    assert np.abs(walked).max() > 1.2


def impacts_s(samples: FloatArray, rate_hz: float, quiet_s: float) -> FloatArray:
    """Return when it begins to be loud after a while of quiet."""
    loud = np.flatnonzero(np.abs(samples) > 0.1 * np.abs(samples).max())
    begins = loud[np.flatnonzero(np.diff(loud, prepend=-10 * rate_hz) > quiet_s * rate_hz)]
    return np.asarray(begins / rate_hz)


@pytest.mark.parametrize(
    ("defect", "order"), [("outer", 3.5848), ("inner", 5.4152), ("ball", 4.7135), ("cage", 0.39828)]
)
def test_a_defect_hits_at_its_multiple_of_the_speed(defect: str, order: float) -> None:
    bearing = Bearing(defect=defect, severity_m_s2=10.0, slip=0.0, damping=0.2)  # type: ignore[arg-type]
    samples = felt(20.0, 20_000.0, shaft=Shaft(10.0), bearing=bearing)[:, 1]
    energy = np.abs(np.fft.rfft(np.abs(samples)))
    # The envelope has its strongest line, but for the modulation's, at the defect's frequency.
    frequencies_hz = np.arange(len(energy)) / 20.0
    at = round(order * 10.0 * 20.0)
    band = (frequencies_hz > 0.8 * order * 10.0) & (frequencies_hz < 1.15 * order * 10.0)
    assert np.flatnonzero(band)[0] + int(np.argmax(energy[band])) == pytest.approx(at, abs=1)


def test_an_inner_race_hits_hardest_in_the_load_zone() -> None:
    bearing = Bearing(defect="inner", severity_m_s2=10.0, slip=0.0, damping=0.2)
    samples = felt(20.0, 20_000.0, shaft=Shaft(10.0), bearing=bearing)[:, 1]
    energy = np.abs(np.fft.rfft(np.abs(samples)))
    centre = round(54.152 * 20.0)
    # (1 + cos) / 2 has sidebands of half the line, one speed to either side.
    for side in (-200, 200):
        assert energy[centre + side - 1 : centre + side + 2].max() / energy[
            centre - 1 : centre + 2
        ].max() == (pytest.approx(0.5, abs=0.1))


def test_impacts_slip_and_excite_the_resonance() -> None:
    bearing = Bearing(
        severity_m_s2=10.0, slip=0.02, resonance_hz=3000.0, damping=0.1, direction=(0.0, 1.0, 0.0)
    )
    samples = felt(60.0, 20_000.0, shaft=Shaft(5.0), bearing=bearing)
    gaps_s = np.diff(impacts_s(samples[:, 1], 20_000.0, 0.02))
    assert gaps_s.mean() == pytest.approx(1 / (5 * 3.5848), rel=0.005)
    assert gaps_s.std() / gaps_s.mean() == pytest.approx(0.02, rel=0.15)
    assert not samples[:, [0, 2]].any()
    energy = np.abs(np.fft.rfft(samples[:, 1]))
    # Damped: 3000 Hz * sqrt(1 - 0.1^2) = 2985 Hz.
    assert np.argmax(np.convolve(energy, np.ones(600), "same")) / 60.0 == pytest.approx(2985.0, abs=100.0)


def test_a_spall_grows_slowly_then_fast() -> None:
    bearing = Bearing(severity_m_s2=8.0, fault_at_s=10.0, growth_s=40.0, growth_exponent=3.0)
    samples = felt(60.0, 20_000.0, shaft=Shaft(20.0), bearing=bearing)[:, 1]
    level = samples.reshape(60, -1).std(axis=1)
    assert not level[:10].any()
    full = level[52:].mean()
    # Half way: (1/2)^3 of it.
    assert level[29:31].mean() / full == pytest.approx(0.125, rel=0.1)
    assert level[52:].std() / full < 0.05


def test_the_speed_swings() -> None:
    shaft = Shaft(speed_hz=20.0, speed_variation=0.1, speed_period_s=8.0)
    times_s = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    assert shaft.speed(times_s) == pytest.approx([20.0, 22.0, 20.0, 18.0, 20.0])
    # Integral of 2 sin over half a period of 8 s: 2 * 8 / pi turns ahead of the mean.
    assert shaft.turns(times_s)[[0, 2, 4]] == pytest.approx([0.0, 80.0 + 16 / math.pi, 160.0])


@given(st.floats(0.0, 0.5), st.floats(1.0, 100.0), st.lists(st.floats(0.0, 1e4), min_size=1, max_size=9))
def test_time_and_turns_are_inverse(variation: float, period_s: float, turns: list[float]) -> None:
    shaft = Shaft(speed_hz=30.0, speed_variation=variation, speed_period_s=period_s)
    wanted = np.array(turns)
    assert shaft.turns(shaft.time_of(wanted)) == pytest.approx(wanted, abs=1e-5)


def test_impacts_follow_the_shaft() -> None:
    shaft = Shaft(speed_hz=10.0, speed_variation=0.2, speed_period_s=20.0)
    bearing = Bearing(severity_m_s2=10.0, slip=0.0, damping=0.2)
    times_s = impacts_s(felt(20.0, 20_000.0, shaft=shaft, bearing=bearing)[:, 1], 20_000.0, 0.005)
    assert shaft.turns(times_s) == pytest.approx(np.arange(len(times_s)) / 3.5848, abs=0.01)


def test_the_load_swings_what_it_drives() -> None:
    shaft = Shaft(speed_hz=20.0, load_variation=0.3, load_period_s=20.0)
    parts = {"gear": Gear(23, 1.0, multiples=1, modulation=0.0), "unbalance": Unbalance(2e-4, 10.0)}
    gear = felt(20.0, shaft=shaft, gear=parts["gear"])[:, 0].reshape(20, -1).std(axis=1) * math.sqrt(2)
    assert (gear.max(), gear.min()) == pytest.approx((1.3, 0.7), abs=0.01)
    rotor = felt(20.0, shaft=shaft, unbalance=parts["unbalance"])[:, 0].reshape(20, -1).std(axis=1)
    assert rotor.std() < 1e-9


def test_gravity_and_noise() -> None:
    machine = Drivetrain(gravity_g=(0.0, 0.6, 0.8), noise_m_s2=(0.1, 0.2, 0.0))
    samples_g = machine.acceleration_g(np.arange(100_000) / 1000)
    assert samples_g.mean(axis=0) == pytest.approx((0.0, 0.6, 0.8), abs=2e-4)
    assert samples_g.std(axis=0) * G_M_S2 == pytest.approx((0.1, 0.2, 0.0), rel=0.02, abs=1e-9)


CONFIGURED = {
    "seed": 4,
    "shaft": {"speed_hz": 20, "load_variation": 0},
    "gear": {"teeth": 23, "amplitude_m_s2": 1.0, "modulation": 0.0, "multiples": 1},
    "bearing": {"defect": "inner", "severity_m_s2": 1, "geometry": {"balls": 8}, "direction": [1, 0, 0]},
    "noise_m_s2": [0, 0, 0],
}


def test_a_machine_as_a_configuration_file_gives_it() -> None:
    samples_g = make_signal("drivetrain", CONFIGURED).acceleration_g(np.arange(16384) / RATE_HZ)
    assert levels(samples_g[:, 2])[460.0] == pytest.approx(1 / G_M_S2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"gear": {"teeth": 23}}, "'gear' needs the parameter 'amplitude_m_s2'"),
        ({"gear": {"tooth": 23}}, "unknown parameter of 'gear': 'tooth'; did you mean 'teeth'"),
        ({"gear": 23}, "gear = 23 must be a table"),
        ({"gear": {"teeth": 0, "amplitude_m_s2": 1}}, "teeth = 0 must be above 0"),
        ({"shaft": {"speed_hz": 0}}, r"speed_hz = 0\.0 must be above 0"),
        ({"shaft": {"speed_variation": 0.6}}, r"speed_variation = 0\.6 must be from 0 to 0\.5"),
        ({"bearing": {"defect": "rust"}}, "defect = 'rust' must be one of outer, inner, ball, cage"),
        ({"bearing": {"slip": 0.5}}, r"slip = 0\.5 must be from 0 to 0\.1"),
        ({"bearing": {"damping": 1}}, "must be below 1, or nothing rings"),
        ({"bearing": {"geometry": {"ball_diameter_m": 1}}}, "a bearing of balls of 1 m on a pitch diameter"),
        ({"mounting": {"damping": 1.5}}, r"mounting damping = 1\.5 must be below 1"),
        ({"unbalance": {"moment_kg_m": 1, "mass_kg": 0}}, r"mass_kg = 0\.0 must be above 0"),
        ({"noise_m_s2": [0, -1, 0]}, r"noise_m_s2 = -1\.0 must be 0 or above"),
    ],
)
def test_mistakes_in_a_configuration_are_explained(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(SignalError, match=message):
        make_signal("drivetrain", parameters)
