"""Print every benchmark."""

from benchmarks import (
    commands,
    daemon,
    dependencies,
    detection,
    endurance,
    fifo_drain,
    persistence,
    training,
    window_path,
)

for part in (
    window_path,
    fifo_drain,
    commands,
    daemon,
    endurance,
    dependencies,
    detection,
    persistence,
    training,
):
    part.main()
