"""Recordings of other programs, beside those that the gateway reads: MATLAB, Parquet, Universal File."""

from trainer.recordings.files import ENDINGS, load_recording

__all__ = ["ENDINGS", "load_recording"]
