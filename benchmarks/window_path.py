"""Cost of one window: judder's path against its floor and against the usual tutorial script.

The path goes from the ring buffer to the alarm's decision. The floor is what no implementation can leave out:
the bare rfft of the window and the bare TFLite invoke. The tutorial script keeps samples in a deque, makes an
array of a list for each window and takes the mean squared error, with no level part, calibration or alarm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tflite_runtime.interpreter import Interpreter

import agent
from agent.alarm import Alarm, AlarmPolicy
from agent.inference.bundle import read_bundle
from agent.inference.detector import Detector
from agent.ring_buffer import RingBuffer, WindowReader
from benchmarks.timing import cpu_us
from firmware_bridge.accelerometer import SampleBlock

BUNDLE = Path(agent.__file__).parent / "demo" / "demo-1.judder"

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WindowCost:
    """CPU microseconds per window."""

    length: int
    n_axes: int
    path_us: float
    floor_us: float
    tutorial_us: float


def measure(bundle_path: Path = BUNDLE) -> WindowCost:
    """Measure all three in this process, on the same samples and the same model."""
    bundle = read_bundle(bundle_path)
    (content,) = bundle.models.values()
    spec = bundle.manifest.window
    samples = np.random.default_rng(0).normal(0, 0.05, (spec.length, len(bundle.manifest.axes)))
    window = samples.astype(np.float32)
    return WindowCost(
        length=spec.length,
        n_axes=window.shape[1],
        path_us=cpu_us(_path(Detector(bundle.manifest, bundle.models), window)),
        floor_us=cpu_us(_floor(content, window)),
        tutorial_us=cpu_us(_tutorial(content, window, spec.hop)),
    )


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
    cost = measure()
    print(f"window path, {cost.length} x {cost.n_axes} samples, CPU per window")
    rows = (
        ("floor: bare rfft + TFLite invoke", cost.floor_us),
        ("judder: ring buffer to alarm decision", cost.path_us),
        ("tutorial script: deque, lists, no alarm", cost.tutorial_us),
    )
    for name, microseconds in rows:
        print(f"  {name:<40} {microseconds:8.1f} us  {microseconds / cost.floor_us:5.2f} x floor")


if __name__ == "__main__":
    main()
