"""Progress on a terminal: a bar with what is being done, and nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from trainer.progress import OnProgress

_STEPS = 1000


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """Give what draws a bar on stderr, anew from the start whenever the share falls."""
    if not sys.stderr.isatty():
        yield lambda doing, share: None
        return
    with click.progressbar(length=_STEPS, file=sys.stderr) as bar:

        def advance(doing: str, share: float) -> None:
            bar.label = doing
            bar.update(round(share * _STEPS) - bar.pos)

        yield advance
