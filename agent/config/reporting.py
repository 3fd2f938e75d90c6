"""How often the gateway reports, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agent.decode import Pattern, Range

Interval = Annotated[float, Range(0.1, 86400.0, "s")]


@dataclass(frozen=True)
class Metrics:
    """Where Prometheus may ask; the control socket answers it in any case."""

    listen: Annotated[str, Pattern(r"(127\.0\.0\.1|\[::1\]|localhost):[0-9]{1,5}", "a local address")]
    """``127.0.0.1:9110``. There is no password: only this machine may ask."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True)
class TelemetryIntervals:
    """How often the gateway reports when nothing happens, in seconds."""

    score_interval_s: Interval = 10.0
    health_interval_s: Interval = 60.0
