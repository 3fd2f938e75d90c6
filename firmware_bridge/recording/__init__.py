"""Recordings on disk: written as they come, read, checked, and cut at gaps."""

from firmware_bridge.recording.files import ENDINGS, load_recording, save_recording
from firmware_bridge.recording.model import Recording, Segment
from firmware_bridge.recording.side_car import Gap, WaveInfo
from firmware_bridge.recording.wav_file import WavWriter

__all__ = [
    "Recording",
    "Segment",
    "ENDINGS",
    "load_recording",
    "save_recording",
    "WavWriter",
    "WaveInfo",
    "Gap",
]
