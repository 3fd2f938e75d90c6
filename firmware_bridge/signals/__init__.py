"""What the simulated chip feels."""

from firmware_bridge.signals.bearing import Bearing, Geometry
from firmware_bridge.signals.drivetrain import Drivetrain
from firmware_bridge.signals.faulty import FaultySignal
from firmware_bridge.signals.lines import Gear, Looseness, Misalignment, Neighbour, Unbalance
from firmware_bridge.signals.lorenz import LorenzAttractor, lorenz_points
from firmware_bridge.signals.machine import RotatingMachine
from firmware_bridge.signals.mounting import Mounting
from firmware_bridge.signals.replay import RecordingReplay
from firmware_bridge.signals.shaft import Shaft
from firmware_bridge.signals.silence import Silence
from firmware_bridge.signals.source import SignalSource
from firmware_bridge.signals.table import SIGNALS, make_signal

__all__ = [
    "SignalSource",
    "LorenzAttractor",
    "lorenz_points",
    "RotatingMachine",
    "Drivetrain",
    "Shaft",
    "Unbalance",
    "Misalignment",
    "Looseness",
    "Gear",
    "Bearing",
    "Geometry",
    "Mounting",
    "Neighbour",
    "RecordingReplay",
    "Silence",
    "FaultySignal",
    "SIGNALS",
    "make_signal",
]
