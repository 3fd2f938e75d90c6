"""Recordings without hardware: a signal, felt by the simulated chip, read by the real driver."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from firmware_bridge.axes import AXES
from firmware_bridge.bus.simulated import SimulatedBus
from firmware_bridge.chips import CHIPS, open_accelerometer, simulate
from firmware_bridge.clock import SimulatedClock
from firmware_bridge.recording import Recording, Segment
from firmware_bridge.signals import SignalSource

_DRAIN_SAMPLES = 16


def record(signal: SignalSource, *, chip: str, rate_hz: float, range_g: float, seconds: float) -> Recording:
    """Record a signal as a gateway would, in accelerated time.

    Rounding, clipping and the first samples after the start are the chip's own; transfers take no time.

    Args:
        signal: What the chip feels.
        chip: Chip name, such as ``adxl345``.
        rate_hz: Output data rate.
        range_g: Full scale.
        seconds: Length of the recording.

    Raises:
        SensorError: If the chip is not known, or does not offer the rate or the range.
    """
    clock = SimulatedClock()
    bus = SimulatedBus("sim:recorder", clock)
    simulated = simulate(chip, clock, signal)
    bus.attach(CHIPS[chip].usual_address, simulated)
    blocks, n_samples, wanted = [], 0, round(seconds * rate_hz)
    with open_accelerometer(chip, bus, clock, address=None, rate_hz=rate_hz, range_g=range_g) as sensor:
        sensor.start()
        while n_samples < wanted:
            clock.wait(_DRAIN_SAMPLES / rate_hz)
            block = sensor.read_fifo()
            blocks.append(block.samples_g)
            n_samples += len(block.samples_g)
    samples = np.concatenate(blocks)[:wanted]
    return Recording(Path(f"{bus.name}.npz"), AXES, samples, rate_hz, (Segment(0, wanted),), ())
