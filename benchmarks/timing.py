"""How the benchmarks measure: the least of several batches, for what else runs only ever adds."""

from __future__ import annotations

import time
from collections.abc import Callable


def cpu_us(work: Callable[[], object], *, repeat: int = 9, number: int = 2000) -> float:
    """Return the CPU time of one call in microseconds.

    Args:
        work: What is measured.
        repeat: Batches, of which the fastest counts.
        number: Calls per batch.
    """
    work()
    batches = []
    for _ in range(repeat):
        begin = time.process_time_ns()
        for _ in range(number):
            work()
        batches.append((time.process_time_ns() - begin) / number / 1000)
    return min(batches)
