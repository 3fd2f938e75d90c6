"""How long to wait before trying again."""

from __future__ import annotations

import random


class Backoff:
    """How long to wait before the next attempt: doubling, and jittered so that a fleet spreads out.

    Args:
        seed: Anything of the gateway's own, such as its client id.
        first_s: Upper end of the first wait in seconds; by default each is at least half of its upper end.
        longest_s: Upper end of every later one.
        jitter: Part of each wait that is random, from 0 to 1.
    """

    def __init__(self, seed: str, first_s: float = 1.0, longest_s: float = 60.0, jitter: float = 0.5) -> None:
        self._random = random.Random(seed)  # noqa: S311  spreads load, keeps no secret
        self._first_s = first_s
        self._longest_s = longest_s
        self._jitter = jitter
        self._upper_s = first_s

    def next_s(self) -> float:
        """Return the next wait in seconds."""
        upper_s = self._upper_s
        self._upper_s = min(2 * upper_s, self._longest_s)
        return upper_s * self._random.uniform(1.0 - self._jitter, 1.0)

    def reset(self) -> None:
        """Begin with the shortest wait again."""
        self._upper_s = self._first_s
