"""How the benchmarks measure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def cpu_us(work: Callable[[], object], *, repeat: int = 9, number: int = 2000) -> float:
    """Return the median CPU time of one call in microseconds.

    Args:
        work: What is measured.
        repeat: Batches, of which the median counts.
        number: Calls per batch.
    """
    work()
    batches = []
    for _ in range(repeat):
        begin = time.process_time_ns()
        for _ in range(number):
            work()
        batches.append((time.process_time_ns() - begin) / number / 1000)
    return statistics.median(batches)
