"""What a site, a gateway and a sensor may be called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from agent.decode import Pattern

TopicLevel: TypeAlias = Annotated[str, Pattern("[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, '_' or '-'")]
"""What a site, gateway or sensor may be called. The configuration sees to it; topics are built unchecked."""


@dataclass(frozen=True)
class GatewayName:
    """Who speaks."""

    site: TopicLevel
    name: TopicLevel
