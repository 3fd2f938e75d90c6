"""Cost of one window: judder's path against its floor and against the usual tutorial script; and of a replay.

The path goes from the ring buffer to the alarm's decision. The floor is what no implementation can leave out:
the bare rfft of the window and the bare TFLite invoke. The tutorial script keeps samples in a deque, makes an
array of a list for each window and takes the mean squared error, with no level part, calibration or alarm.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tflite_runtime.interpreter import Interpreter

import agent
from agent.config.alarm import AlarmPolicy
from agent.inference.arrays import FloatArray
from agent.inference.bundle import Bundle, read_bundle
from agent.inference.detector import Detector, judge_recording
from agent.inference.window import WindowSpec
from agent.judging.alarm import Alarm
from agent.sensing.ring_buffer import RingBuffer, WindowReader
from benchmarks.bundles import RATE_HZ, default_bundle, healthy
from benchmarks.timing import cpu_us
from firmware_bridge.chip.accelerometer import SampleBlock
from trainer.recordings.datasets import default_hop

BUNDLE = Path(agent.__file__).parent / "demo" / "demo-1.judder"


_BATCHES, _WINDOWS = 400, 20
_REPLAYS, _REPLAY_S = 7, 60.0


@dataclass(frozen=True, kw_only=True)
class WindowCost:
    """CPU microseconds per window."""

    length: int
    n_axes: int
    path_us: float
    floor_us: float
    tutorial_us: float | None
    """None for a network that does not give back its input: the script has one that does."""
    replay_us: float
    """Of a recording in memory, many windows at once."""
    hop: int

    def speed(self, window_us: float) -> float:
        """Return how many times faster than real time, at 3.2 kHz, windows of this cost follow each other."""
        return self.hop / RATE_HZ / (window_us * 1e-6)


def measure(bundle: Bundle) -> WindowCost:
    """Measure all in this process, on the same model."""
    (content,) = bundle.models.values()
    length = bundle.manifest.window.length
    spec = WindowSpec(length, default_hop(length, RATE_HZ))  # whatever the rate it was trained at
    window = healthy(spec.length / RATE_HZ)
    detector = Detector(replace(bundle.manifest, window=spec), bundle.models)
    return WindowCost(
        length=spec.length,
        n_axes=window.shape[1],
        path_us=_us(_path(detector, window)),
        floor_us=_us(_floor(content, window)),
        tutorial_us=_us(_tutorial(content, window, spec.hop)) if _reproduces(content) else None,
        replay_us=_replay_us(detector),
        hop=spec.hop,
    )


def _us(work: Callable[[], object]) -> float:
    return cpu_us(work, repeat=_BATCHES, number=_WINDOWS)


def _replay_us(detector: Detector) -> float:
    """Return CPU microseconds per window of a replay, the fastest of several."""
    samples = healthy(_REPLAY_S)
    times = []
    for _ in range(_REPLAYS):
        begin = time.process_time_ns()
        starts, _ = judge_recording(detector, samples, [(0, len(samples))])
        times.append((time.process_time_ns() - begin) / len(starts) / 1000)
    return min(times)


def _path(detector: Detector, window: FloatArray) -> Callable[[], object]:
    """Return one turn of the detector thread: a hop of samples in, a decision out."""
    spec = detector.manifest.window
    ring = RingBuffer(8 * spec.length, window.shape[1])
    reader = WindowReader(ring, spec, columns=range(window.shape[1]))
    alarm = Alarm(detector.manifest, AlarmPolicy())
    hop = SampleBlock(window[: spec.hop], end_ns=0, rate_hz=detector.manifest.rate_hz or 1.0, lost=0)
    ring.append(SampleBlock(window[spec.hop :], end_ns=0, rate_hz=hop.rate_hz, lost=0))

    def turn() -> object:
        ring.append(hop)
        ready = reader.read(0.0)
        assert ready is not None
        return alarm.update(detector.judge(ready.samples[np.newaxis])[0].score)

    return turn


def _interpreter(content: bytes) -> Interpreter:
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _reproduces(content: bytes) -> bool:
    interpreter = _interpreter(content)
    put, take = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    return bool(put["shape"].tolist() == take["shape"].tolist())


def _floor(content: bytes, window: FloatArray) -> Callable[[], object]:
    interpreter = _interpreter(content)

    def turn() -> None:
        np.fft.rfft(window, axis=0)
        interpreter.invoke()

    return turn


def _tutorial(content: bytes, window: FloatArray, hop: int) -> Callable[[], object]:
    interpreter = _interpreter(content)
    (put,), (take,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero = put["quantization"]
    readings = deque([tuple(row) for row in window.tolist()], maxlen=len(window))
    new = [tuple(row) for row in window[:hop].tolist()]

    def turn() -> object:
        for reading in new:
            readings.append(reading)
        data = np.array(list(readings), dtype=np.float32)
        data = data - np.mean(data, axis=0)
        features = np.log(np.abs(np.fft.rfft(data * np.hanning(len(data))[:, None], axis=0)) + 1e-6)
        if put["shape"][1] == len(data):
            features = data
        stored = features.astype(np.float32)
        if scale:
            stored = np.clip(np.round(features / scale + zero), -128, 127).astype(np.int8)
        interpreter.set_tensor(put["index"], stored[np.newaxis])
        interpreter.invoke()
        output = interpreter.get_tensor(take["index"])[0].astype(np.float32)
        return np.mean(np.square(stored - output)) > 1.0

    return turn


def main() -> None:
    """Print the cost of a window."""
    models = (("dense, the demo's", read_bundle(BUNDLE)), ("default detector", default_bundle()))
    for name, bundle in models:
        _tell(name, measure(bundle))


def _tell(name: str, cost: WindowCost) -> None:
    print(f"window path, {name}, {cost.length} x {cost.n_axes} samples, CPU per window")
    rows = (
        ("floor: bare rfft + TFLite invoke", cost.floor_us),
        ("judder: ring buffer to alarm decision", cost.path_us),
        ("tutorial script: deque, lists, no alarm", cost.tutorial_us),
        ("judder: replay of a recording", cost.replay_us),
    )
    for row, microseconds in rows:
        if microseconds is not None:
            print(f"  {row:<40} {microseconds:8.1f} us  {microseconds / cost.floor_us:5.2f} x floor")
    print(
        f"  replay at {RATE_HZ:g} Hz on one core {cost.speed(cost.replay_us):.0f} x real time (aim >= 2000); "
        f"by the floor, one by one, {cost.speed(cost.floor_us):.0f} x"
    )


if __name__ == "__main__":
    main()
