"""Print every benchmark."""

from benchmarks import (
    daemon,
    dependencies,
    detection,
    endurance,
    fifo_drain,
    persistence,
    training,
    window_path,
)

for part in (window_path, fifo_drain, daemon, endurance, dependencies, detection, persistence, training):
    part.main()
