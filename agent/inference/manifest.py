"""The manifest of a bundle: all that the gateway must know to turn a window into a level."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from agent.decode import Pattern, Range, decode, encode, parse_json
from agent.inference.distance import DistancePart
from agent.inference.level import LevelPart
from agent.inference.reconstruction import ReconstructionPart
from agent.inference.scoring import Tail, Thresholds
from agent.inference.window import WindowSpec

SCHEMA_VERSION = 1
RATE_TOLERANCE = 0.05
"""Part by which a sample rate may differ from the bundle's: a chip's own clock is a few percent off its
nominal rate, and so is a recording made with one. Further off it is another signal, as far as a model
can tell."""

Name = Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "letters, digits, '.', '_', '-'")]


AnyPart: TypeAlias = LevelPart | DistancePart | ReconstructionPart
"""Told apart by their ``kind``."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What stands in ``manifest.json``; the published form is docs/bundle/manifest.schema.json."""

    schema: Literal[1]
    name: Name
    version: Name
    axes: tuple[str, ...]
    """Names of the input's axes, in order."""
    unit: str
    """Unit of the samples: ``g`` for acceleration."""
    window: WindowSpec
    parts: tuple[AnyPart, ...]
    combination: Tail
    """Tail of the joined parts (see ``scoring.joined``)."""
    thresholds: Thresholds
    runtime: str
    """Oldest runtime in which the bundle was loaded and run before it was written."""
    golden_tolerance: Annotated[float, Range(0.0, 5.0, "standard deviations")]
    """How far a golden window's score may lie from the expected one, besides 5 % of it."""
    members: Mapping[str, str]
    """SHA-256, in hex, of every other member of the bundle but the signature."""
    provenance: Mapping[str, Any]
    """Where the model comes from: data with hashes, settings, library versions, what was measured."""
    rate_hz: Annotated[float, Range(1e-3, 1e6, "Hz")] | None = None
    """Sample rate; absent if the recordings did not say."""
    wander: Annotated[float, Range(0.0, 100.0, "standard deviations")] = 0.0
    """How far the mean score of a healthy machine wanders from stretch to stretch and session to session: the
    standard deviation of these means beyond what chance explains."""

    def __post_init__(self) -> None:
        if not self.parts or not self.axes:
            raise ValueError("parts and axes must not be empty")

    @property
    def title(self) -> str:
        """Name and version, as in the file name."""
        return f"{self.name}-{self.version}"


def parse_manifest(content: bytes) -> Manifest:
    """Return the manifest.

    Raises:
        DecodeError: If it is not JSON, or not a manifest of this version: every problem with its key path.
    """
    return decode(Manifest, parse_json(content))


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the manifest as canonical JSON: sorted keys, so that the same manifest is the same bytes."""
    return json.dumps(
        encode(manifest), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
    ).encode()
