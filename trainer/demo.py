"""The model of ``judder demo``: learnt from the very machine that the demo simulates, while it is healthy."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from firmware_bridge.recording import Recording
from firmware_bridge.signals import make_signal
from trainer.bundles.making import FitReport
from trainer.bundles.writing import Target
from trainer.fit import fit
from trainer.progress import OnProgress
from trainer.recordings.datasets import simulated_source
from trainer.recordings.synthetic import record
from trainer.settings import FitSettings, Method, NetworkSettings, TrainingSettings

# Half the usual window keeps the file small. The lines are so high because a fault of the demo's size
# exceeds any line, and the machine shall be quiet for as long as somebody watches.
SETTINGS = FitSettings(
    window_length=256,
    features="spectrum",
    warning=Method("rate", 1e-6),
    alarm=Method("rate", 1e-8),
    network=NetworkSettings(units=(32, 8, 32)),
    parts=("level", "network"),
    folds=3,
    training=TrainingSettings(epochs=30, batch_size=256),
)

_SECONDS = 60.0
# Machines of one make: the seed sets the phases, and they do not turn equally fast. The demo's is another.
_MACHINES = tuple(
    (seed, speed) for seed, speed in zip(range(101, 109), (0.99, 1.0, 1.01, 1.0) * 2, strict=True)
)


@dataclass(frozen=True)
class DemoMachine:
    """The demo's sensor, its rate in Hz, and what it feels, from ``agent/demo/demo.toml``."""

    chip: str
    rate_hz: float
    range_g: float
    signal: Mapping[str, Any]
    """``kind`` and parameters, fault included."""

    def recorded(self, seconds: float, **changes: object) -> Recording:
        """Record so many seconds of the machine, with some parameters of its signal changed."""
        parameters = {**self.signal, **changes}
        signal = make_signal(str(parameters.pop("kind")), parameters)
        return record(signal, chip=self.chip, rate_hz=self.rate_hz, range_g=self.range_g, seconds=seconds)


def demo_machine() -> DemoMachine:
    """Return the machine as the demo's configuration describes it."""
    text = (files("agent") / "demo" / "demo.toml").read_text(encoding="utf-8")
    sensor = tomllib.loads(text)["sensors"]["demo"]
    return DemoMachine(sensor["chip"], sensor["rate_hz"], sensor["range_g"], sensor["signal"])


def build_demo(target: Target, on_progress: OnProgress) -> FitReport:
    """Simulate healthy machines of the demo's kind, learn from them and write the bundle.

    Args:
        target: What to write.
        on_progress: Called with what is being done, and the share of it that is done.

    Raises:
        OutputError: If the bundle cannot be written.
    """
    machine = demo_machine()
    shaft_hz = machine.signal["shaft_hz"]
    sources = [
        simulated_source(
            f"healthy-{seed}",
            machine.recorded(_SECONDS, severity_g=0.0, seed=seed, shaft_hz=shaft_hz * speed),
        )
        for seed, speed in _MACHINES
    ]
    return fit(sources, SETTINGS, target, None, on_progress)
