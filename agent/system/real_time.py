"""Real-time priority for the threads that drain FIFOs: one that is woken late loses samples.

On a loaded machine a thread of normal priority is now and then woken a tenth of a second late; an ADXL355 at
4000 Hz holds 8 ms of samples. The lowest real-time priority goes before every normal thread. Linux keeps 5 %
of the processor from real-time threads, so that even an endless loop in one leaves the machine usable.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

PRIORITY = 1
"""The lowest real-time priority: nothing else that is in real time has to wait for us."""
SWITCH_S = 0.001
"""How long a thread that computes may keep the interpreter from another that waits; by default it is 5 ms."""


def go_real_time() -> bool:
    """Give the calling thread real-time priority, and nothing that it starts; let others yield to it soon.

    Returns:
        False if that is not allowed (``ulimit -r``, ``LimitRTPRIO=`` in the unit); the thread goes on as it
        is.
    """
    return _go(os.SCHED_RR | os.SCHED_RESET_ON_FORK)


@contextmanager
def real_time() -> Iterator[None]:
    """Give the calling thread real-time priority for a while, if that is allowed."""
    before = sys.getswitchinterval()
    allowed = _go(os.SCHED_RR)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
        if allowed:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _go(policy: int) -> bool:
    sys.setswitchinterval(SWITCH_S)
    try:
        os.sched_setscheduler(0, policy, os.sched_param(PRIORITY))
    except OSError as error:
        logger.debug("no real-time priority: %s", error)
        return False
    return True
