"""Public recordings of real machines as the benchmark uses them: to learn from, and to judge.

None of them is part of the repository. Only healthy parts are learnt from; where a part is made of a longer
recording, it is a stretch in the order of time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from agent.inference.arrays import FloatArray
from firmware_bridge.recording import Recording, Segment, load_recording
from firmware_bridge.signals import lorenz_points
from trainer.benchmark.figures import Machine
from trainer.errors import DataError

Array = npt.NDArray[np.float64]

LORENZ_RATE_HZ = 100.0
LORENZ_SEVERITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LINEAR_AXES = ("LinAccX", "LinAccY", "LinAccZ")
VALVE_CHANNELS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)
_LORENZ_NOISE = 0.02
_GATEWAY_LSB_G = 0.0039
_GATEWAY_RATE_HZ = 3200.0


def load_machine(name: str, folder: Path, seed: int = 0) -> Machine:
    """Return one machine's recordings.

    Args:
        name: A key of ``MACHINES``.
        folder: Holds a folder for each set.
        seed: Of the noise that is added where a set says so.

    Raises:
        DataError: If the set is not there.
    """
    try:
        return MACHINES[name](folder, seed)
    except FileNotFoundError as error:
        raise DataError(f"{folder}: holds no recordings of {name} ({error.filename} is missing)") from error


def robot_arm(folder: Path, seed: int) -> Machine:
    """An arm's linear acceleration at 50 Hz; rotations stutter in two places, and all through pre-fail."""
    place = folder / "robot_arm"
    normal, verify, pre_fail = (
        _load(place / f"{stem}.csv", LINEAR_AXES)
        for stem in ("normal_20170202_2229", "verify_20170202_2243", "pre-fail_20170202_2234")
    )
    labels = _labels(place / "labels.csv", verify.path.name)
    stutters = [stretch for stretch, label in labels if label == "anomaly"]
    rotations = [
        stretch for stretch, label in _labels(place / "labels.csv", pre_fail.path.name) if label == "anomaly"
    ]
    kinds = {f"stutter {number}": (_only(verify, [one]),) for number, one in enumerate(stutters, start=1)}
    kinds |= {
        f"rotation {number}": (_only(pre_fail, [one]),) for number, one in enumerate(rotations, start=1)
    }
    unseen = {
        "last fifth": (_part(normal, 0.8, 1.0),),
        "verify": (_without(verify, [stretch for stretch, _ in labels]),),
    }
    return Machine("robot arm, linear acceleration", (_part(normal, 0.0, 0.8),), unseen, kinds)


def ceiling_fan(folder: Path, seed: int) -> Machine:
    """A ceiling fan, two mountings of the sensor learnt; a coin on a blade makes it quieter."""

    def load(kind: str) -> Recording:
        return _load(folder / "ceiling_fan" / f"fan_0_{kind}.npz")

    low, deploy = load("low_0_weight"), load("low-deploy")
    kinds = ("low_1_weight", "med_0_weight", "high_0_weight", "high_1_weight", "off_0_weight")
    return Machine(
        "ceiling fan, two mountings",
        (_part(low, 0, 0.8), _part(deploy, 0, 0.8)),
        {"low_0": (_part(low, 0.8, 1),), "deploy": (_part(deploy, 0.8, 1),)},
        {kind: (load(kind),) for kind in kinds},
    )


def lorenz(folder: Path, seed: int, healthy_s: float | None = 400.0, defective_s: float = 30.0) -> Machine:
    """The Lorenz bearing model with 2 % noise, healthy to a fraction of the way to broken.

    Args:
        folder: Holds the set; its trajectory is the other healthy run, and the measure of the noise.
        seed: Of the noise.
        healthy_s: Seconds of the healthy run, four fifths of which teach; None for the published one of 30 s.
        defective_s: Seconds of each defective run.
    """
    random = np.random.default_rng(seed)
    first, second = (
        _load(folder / "lorenz" / name, rate_hz=LORENZ_RATE_HZ)
        for name in ("healthy.csv", "healthy_phase_aligned.csv")
    )
    noise = _LORENZ_NOISE * first.samples.std(axis=0).astype(np.float64)

    def noisy(name: str, points: FloatArray | Array) -> Recording:
        samples = points.astype(np.float64) + noise * random.standard_normal(points.shape)
        return _made(name, samples, first.columns, LORENZ_RATE_HZ)

    def defect(severity: float) -> Recording:
        points = lorenz_points(
            round(LORENZ_RATE_HZ * defective_s),
            a=10 + 20 * severity,
            b=28 + 100 * severity,
            c=8 / 3 + 20 / 3 * severity,
        )
        return noisy(f"severity {severity}", points)

    if healthy_s is None:
        run, other = noisy("healthy", first.samples), noisy("other run", second.samples)
    else:  # begins as the second file does
        points = lorenz_points(round(LORENZ_RATE_HZ * healthy_s))
        run, other = noisy("healthy", points), noisy("other run", first.samples)
    learnt_s = 0.8 * len(run.samples) / LORENZ_RATE_HZ
    return Machine(
        f"Lorenz bearing model, 2 % noise, {learnt_s:.0f} s learnt",
        (_part(run, 0, 0.8),),
        {"same run": (_part(run, 0.8, 1),), "other run": (other,)},
        {f"severity {severity:.0%}": (defect(severity),) for severity in LORENZ_SEVERITIES},
    )


def cwru(folder: Path, seed: int, noise_g: float = 0.004, unit_rms: bool = False) -> Machine:
    """A motor bearing as a gateway would feel it: 3.2 kHz, white noise, 3.9 mg per LSB, drive end.

    Args:
        folder: Holds the set.
        seed: Of the noise.
        noise_g: RMS of the noise.
        unit_rms: Scale every 160 ms to an RMS of 1, so that level alone is useless.
    """
    random = np.random.default_rng(seed)

    def load(name: str) -> Recording:
        samples = _load(folder / "cwru" / f"{name}.npz", ("DE",), 12000.0).samples
        slow = resample_poly(samples.astype(np.float64), 4, 15, axis=0)
        slow += noise_g * random.standard_normal(slow.shape)
        quantised = np.round(slow / _GATEWAY_LSB_G) * _GATEWAY_LSB_G
        return _made(name, _unit_rms(quantised) if unit_rms else quantised, ("DE",), _GATEWAY_RATE_HZ)

    stems = sorted(path.stem for path in (folder / "cwru").glob("*_*.npz"))
    faults = [stem for stem in stems if not stem.startswith("normal")]
    kind = "level removed" if unit_rms else f"{1000 * noise_g:.0f} mg noise"
    return Machine(
        f"CWRU bearing at 3.2 kHz, {kind}",
        (load("normal_0_12k_train"), load("normal_0_12k_validation")),
        {"test": (load("normal_0_12k_test"),)},
        {fault: (load(fault),) for fault in faults},
    )


@dataclass(frozen=True)
class Labelled:
    """A recording with the stretches of its samples, as (first, end), that something is known about."""

    recording: Recording
    defects: tuple[tuple[int, int], ...] = ()
    ignored: tuple[tuple[int, int], ...] = ()
    """Of which nobody can say whether they are healthy."""

    @property
    def anomalous(self) -> npt.NDArray[np.bool_]:
        """Of each row, shape (n_samples,)."""
        return self._marked(self.defects)

    @property
    def counted(self) -> npt.NDArray[np.bool_]:
        """Rows that are not to be ignored, shape (n_samples,)."""
        return ~self._marked(self.ignored)

    def _marked(self, stretches: Iterable[tuple[int, int]]) -> npt.NDArray[np.bool_]:
        marked = np.zeros(len(self.recording.samples), bool)
        for begin, end in stretches:
            marked[begin:end] = True
        return marked


@dataclass(frozen=True)
class LabelledArm:
    """The robot arm, with what is known of its rows."""

    healthy: Recording
    """To learn from."""
    judged: Mapping[str, Labelled]
    """The last fifth of the healthy recording, verify and pre-fail."""


def labelled_robot_arm(folder: Path) -> LabelledArm:
    """Return the robot arm's recordings with their labels.

    Raises:
        DataError: If the set is not there.
    """
    place = folder / "robot_arm"
    normal = _found(place / "normal_20170202_2229.csv", LINEAR_AXES)
    judged = {"last fifth of normal": Labelled(_part(normal, 0.8, 1.0))}
    for name, stem in (("verify", "verify_20170202_2243"), ("pre-fail", "pre-fail_20170202_2234")):
        recording = _found(place / f"{stem}.csv", LINEAR_AXES)
        labels = _labels(place / "labels.csv", recording.path.name)
        defects, ignored = (
            tuple(stretch for stretch, label in labels if label == kind) for kind in ("anomaly", "ignore")
        )
        judged[name] = Labelled(recording, defects, ignored)
    return LabelledArm(_part(normal, 0.0, 0.8), judged)


def valve_files(folder: Path) -> list[tuple[Recording, npt.NDArray[np.bool_]]]:
    """Return the recordings of a valve being closed, at 1 Hz, and which of their rows are anomalous.

    Raises:
        DataError: If the set is not there.
    """
    paths = sorted((folder / "skab" / "valve1").glob("*.csv"), key=lambda path: int(path.stem))
    if not paths:
        raise DataError(f"{folder}: holds no recordings of skab (skab/valve1/*.csv is missing)")
    files = []
    for path in paths:
        whole = _load(path, (*VALVE_CHANNELS, "anomaly"), 1.0)
        samples = whole.samples[:, :-1]
        values = replace(whole, columns=VALVE_CHANNELS, samples=samples)
        files.append((values, whole.samples[:, -1] > 0))
    return files


def _found(path: Path, columns: tuple[str, ...]) -> Recording:
    try:
        return _load(path, columns)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such recording") from error


MACHINES: Mapping[str, Callable[[Path, int], Machine]] = {
    "robot": robot_arm,
    "fan": ceiling_fan,
    "lorenz": lorenz,
    "lorenz-24s": lambda folder, seed: lorenz(folder, seed, healthy_s=None),
    "cwru": cwru,
    "cwru-50mg": lambda folder, seed: cwru(folder, seed, noise_g=0.05),
    "cwru-unit": lambda folder, seed: cwru(folder, seed, unit_rms=True),
}
"""Loaders by the names that the command takes."""


def _load(path: Path, columns: tuple[str, ...] | None = None, rate_hz: float | None = None) -> Recording:
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    return load_recording(path, columns=columns, rate_hz=rate_hz)


def _part(recording: Recording, begin: float, end: float) -> Recording:
    """Return the part between two shares of a recording."""
    low, high = round(begin * len(recording.samples)), round(end * len(recording.samples))
    clipped = ((max(s.start, low) - low, min(s.end, high) - low) for s in recording.segments)
    segments = tuple(Segment(start, stop) for start, stop in clipped if start < stop)
    return replace(recording, samples=recording.samples[low:high], segments=segments)


def _labels(path: Path, name: str) -> list[tuple[tuple[int, int], str]]:
    """Return the labelled stretches of samples of a file, as (first, end), with their labels."""
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"] == name]
    return [((int(row["first_row"]), int(row["last_row"]) + 1), row["label"]) for row in rows]


def _only(recording: Recording, stretches: list[tuple[int, int]]) -> Recording:
    """Return a recording whose windows lie inside the stretches of samples."""
    clipped = (
        (max(segment.start, begin), min(segment.end, end))
        for begin, end in stretches
        for segment in recording.segments
    )
    return replace(recording, segments=tuple(Segment(start, end) for start, end in clipped if start < end))


def _without(recording: Recording, stretches: list[tuple[int, int]]) -> Recording:
    """Return a recording whose windows touch none of the stretches of samples."""
    borders = [0, *(border for stretch in sorted(stretches) for border in stretch), len(recording.samples)]
    return _only(recording, list(zip(borders[::2], borders[1::2], strict=True)))


def _unit_rms(samples: Array) -> Array:
    """Return blocks of 160 ms, each with its mean removed and divided by its RMS."""
    length = 512
    blocks = samples[: len(samples) // length * length].reshape(-1, length, samples.shape[1])
    centred = blocks - blocks.mean(axis=1, keepdims=True)
    rms = np.sqrt(np.mean(centred**2, axis=1, keepdims=True))
    scaled: Array = (centred / rms).reshape(-1, samples.shape[1])
    return scaled


def _made(name: str, samples: FloatArray | Array, columns: tuple[str, ...], rate_hz: float) -> Recording:
    whole = (Segment(0, len(samples)),)
    return Recording(Path(name), columns, samples.astype(np.float32), rate_hz, whole, ())
