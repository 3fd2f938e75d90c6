"""Recordings on disk: read, checked, and cut at gaps."""

from firmware_bridge.recording.files import load_recording, save_recording
from firmware_bridge.recording.model import FloatArray, Recording, Segment

__all__ = ["Recording", "Segment", "FloatArray", "load_recording", "save_recording"]
