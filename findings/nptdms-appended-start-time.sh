#!/usr/bin/env bash
# Version: npTDMS 1.13.0.
#
# Guess: a channel that is written in two segments, each with its own `wf_start_time`, as a logger does that opens its file again after
# a pause, keeps the time of its first sample: `time_track(absolute_time=True)` begins at the first start, with or without the pause.
#
# Behaviour: properties belong to the channel and not to the segment, the last ones count, and the time track runs on from them over
# all samples. Of two segments of ten samples a second apart, begun at 10:00:00 and 10:10:00, the first is dated ten minutes late, the
# second ten seconds late, and the pause is gone:
#     sample  0: 2024-01-01T10:10:00
#     sample  9: 2024-01-01T10:10:09
#     sample 10: 2024-01-01T10:10:10
#     sample 19: 2024-01-01T10:10:19
# `wf_samples` says 10, of 20.
#
# Means: the only sign of the pause is gone with the first start time, and windows run across it. Whoever appends must write a new
# channel or group after each pause; whoever reads should not trust the times of a channel with several segments.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check npTDMS==1.13.0 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PYTHON'
import numpy as np
from nptdms import ChannelObject, TdmsFile, TdmsWriter

STARTS = ("2024-01-01T10:00:00", "2024-01-01T10:10:00")
for start, mode in zip(STARTS, ("w", "a"), strict=True):
    properties = {
        "wf_start_time": np.datetime64(start),
        "wf_start_offset": 0.0,
        "wf_increment": 1.0,
        "wf_samples": 10,
    }
    with TdmsWriter("run.tdms", mode=mode) as writer:
        writer.write_segment([ChannelObject("pump", "acc", np.arange(10.0), properties=properties)])
channel = TdmsFile.read("run.tdms")["pump"]["acc"]
times = channel.time_track(absolute_time=True).astype("datetime64[s]")
for sample in (0, 9, 10, 19):
    print(f"sample {sample:2}: {times[sample]}")
assert len(channel) == 20
assert channel.properties["wf_samples"] == 10
assert times[0] == np.datetime64(STARTS[1])
assert np.array_equal(np.diff(times).astype(int), np.ones(19))
PYTHON
