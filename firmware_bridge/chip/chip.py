"""What is known of a chip before it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One kind of accelerometer; each chip's folder defines its own as ``CHIP``."""

    name: str
    """As in the configuration; the name of its folder."""
    addresses: tuple[int, ...]
    """7-bit I2C addresses that it can have; the usual one first."""
    identity: Mapping[IntEnum, int]
    """Its identity registers with their values."""
    alike: tuple[str, ...] = ()
    """Chips with the same identity, as their makers write them; of those that measure otherwise, how."""
    relatives: Mapping[int, str] = field(default_factory=dict)
    """Chips that are sold in its place but have no driver here, by what its identity register reads there."""
    bits_per_sample: int
    """Bits on the wire for each sample that is drained, at nine a byte (the acknowledge is one)."""
    driver: str
    """``module:class`` of its ``Accelerometer``: named, so that only the chosen chip's code is loaded."""
    simulator: str
    """``module:class`` of its twin."""

    @property
    def usual_address(self) -> int:
        """7-bit I2C address as the chip is usually wired."""
        return self.addresses[0]
