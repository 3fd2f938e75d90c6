"""What is larger than memory is learnt from all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

_ROWS = 20_000_000
_PROGRAM = """
import json, resource, sys
from pathlib import Path
import numpy as np
from agent.inference.window import WindowSpec
from trainer.recordings.datasets import check_sources, load_source
from trainer.recordings.folds import fold_windows

def data_bytes():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmData:")[1].split()[0])

# Everything that is not a mapped file counts: 128 MiB more than now, for a recording of 229 MiB.
limit = data_bytes() + (128 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
source = load_source(Path(sys.argv[1]), None, None)
axes = check_sources([source])
folded = fold_windows([source.recording], WindowSpec(64, 16))
try:
    np.zeros(200 << 20, np.uint8)
    limited = False
except MemoryError:
    limited = True
print(json.dumps({
    "limited": limited,
    "axes": axes,
    "rows": len(source.recording.samples),
    "windows": len(folded.windows),
    "last": float(source.recording.samples[-1, 2]),
}))
"""


def test_a_recording_of_twice_the_memory_is_cut_into_windows(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    samples = np.tile(np.arange(1000, dtype=np.float32)[:, None] % [7, 11, 13], (_ROWS // 1000, 1))
    np.savez(path, acc=samples.astype(np.float32), sample_rate_hz=100.0)
    del samples
    result = subprocess.run([sys.executable, "-c", _PROGRAM, str(path)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    # 5 blocks of 4 million rows hold 249,997 windows each, of which every 63rd is kept.
    assert json.loads(result.stdout) == {
        "limited": True,
        "axes": ["acc_x", "acc_y", "acc_z"],
        "rows": _ROWS,
        "windows": 5 * 3969,
        "last": 999 % 13,
    }
