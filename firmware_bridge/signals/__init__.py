"""What the simulated chip feels."""

from firmware_bridge.signals.lorenz import LorenzAttractor, lorenz_points
from firmware_bridge.signals.machine import RotatingMachine
from firmware_bridge.signals.replay import RecordingReplay
from firmware_bridge.signals.silence import Silence
from firmware_bridge.signals.source import SignalArray, SignalSource, TimeArray
from firmware_bridge.signals.table import SIGNALS, make_signal

__all__ = [
    "SignalSource",
    "TimeArray",
    "SignalArray",
    "LorenzAttractor",
    "lorenz_points",
    "RotatingMachine",
    "RecordingReplay",
    "Silence",
    "SIGNALS",
    "make_signal",
]
