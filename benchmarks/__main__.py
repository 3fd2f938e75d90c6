"""Print every benchmark."""

from benchmarks import daemon, dependencies, detection, endurance, fifo_drain, window_path

for part in (window_path, fifo_drain, daemon, endurance, dependencies, detection):
    part.main()
