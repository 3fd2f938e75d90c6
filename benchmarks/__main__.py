"""Print every benchmark."""

from benchmarks import daemon, dependencies, detection, fifo_drain, window_path

for part in (window_path, fifo_drain, daemon, dependencies, detection):
    part.main()
