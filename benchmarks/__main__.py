"""Print every benchmark."""

from benchmarks import daemon, dependencies, detection, endurance, fifo_drain, persistence, window_path

for part in (window_path, fifo_drain, daemon, endurance, dependencies, detection, persistence):
    part.main()
