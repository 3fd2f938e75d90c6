#!/usr/bin/env bash
# Version: asammdf 8.8.28 (8.1.2 does the same).
#
# Guess: in a data frame of channels with different time stamps (`MDF.to_dataframe()`) a channel is NaN where it has no sample, or
# holds its last one; in the hour between two bursts of one second there is no acceleration.
#
# Behaviour: what is floating point, or becomes so by its conversion from counts, is drawn as a straight line across the pause, however
# long, and is its first value before its first sample and its last one after its last; integers hold their last value. Nothing is NaN.
# Acceleration of 1000 Hz in two bursts at 0 s and 3600 s, around 1 g, beside a temperature every 100 s:
#     acceleration at 900, 1800, 2700 s: 0.768 0.845 0.923; temperature: 9.0 18.0 27.0
#     missing values: 0
#
# Means: the rows between the bursts look like measured vibration. RMS and alarms over such a frame are about lines that nobody
# measured; ask for each channel with its own time stamps (`MDF.get`), or for `use_interpolation=False`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check asammdf==8.8.28 numpy==2.4.6 pandas==3.1.1
cd "$work"
venv/bin/python - <<'PYTHON'
import numpy as np
from asammdf import MDF, Signal

burst_s = np.arange(1000) / 1000
times_s = np.concatenate([burst_s, 3600 + burst_s])
shaking_g = 1 + np.sin(2 * np.pi * 50 * times_s)
counts = np.round(1000 * shaking_g).astype(np.int16)
every_s = np.arange(0, 3700, 100.0)
mdf = MDF()
mdf.append([Signal(shaking_g, times_s, name="acceleration", unit="g")])
mdf.append([Signal(counts, times_s, name="scaled", unit="g", conversion={"a": 0.001, "b": 0.0})])
mdf.append([Signal(counts, times_s, name="counts")])
mdf.append([Signal(every_s / 100, every_s, name="temperature", unit="degC")])
frame = mdf.to_dataframe()
asked_s = [900.0, 1800.0, 2700.0]
rows = frame.loc[asked_s]
print("acceleration at 900, 1800, 2700 s:", *(f"{value:.3f}" for value in rows["acceleration"]), end="; ")
print("temperature:", *rows["temperature"])
print("missing values:", int(frame.isna().sum().sum()))
ends = np.interp(asked_s, [burst_s[-1], 3600.0], [shaking_g[999], shaking_g[1000]])
assert np.allclose(rows["acceleration"], ends)
assert np.allclose(rows["scaled"], ends, atol=2e-3)
assert (rows["counts"] == counts[999]).all()
assert not frame.isna().any().any()
assert mdf.to_dataframe(use_interpolation=False).loc[asked_s]["acceleration"].isna().all()
PYTHON
