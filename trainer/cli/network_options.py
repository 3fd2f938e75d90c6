"""Options of ``judder-train fit`` that say what the network looks like."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args

import click

from trainer.networks.models import ARCHITECTURES
from trainer.settings import ACTIVATIONS, NetworkSettings, View

TRAINED = tuple(name for name, known in ARCHITECTURES.items() if not (known.closed_form or known.fixed))
"""Architectures whose training is for choice."""

_ONLY = {
    "kernel": ("conv",),
    "kl_weight": ("vae",),
    "kl_warm_up_steps": ("vae",),
    "view": ("pca",),
    "components": ("pca",),
    "units": TRAINED,
    "activation": ("dense", "spectral", "conv", "vae"),
    "dropout": TRAINED,
}
"""Architectures that take an option."""


@dataclass(frozen=True, kw_only=True)
class NetworkChoices:
    """What was asked for; None leaves it to the architecture."""

    units: tuple[int, ...] | None
    activation: str | None
    dropout: float | None
    kernel: int | None
    kl_weight: float | None
    kl_warm_up_steps: int | None
    view: View | None
    components: int | float | None

    def settings(self, architecture: str) -> NetworkSettings:
        """Return the settings of a network of this architecture.

        Raises:
            click.UsageError: If the architecture does not take one of the options.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name in given:
            if architecture not in _ONLY[name]:
                option = name.removesuffix("_steps").replace("_", "-")
                raise click.UsageError(
                    f"--{option} is of --arch {', '.join(_ONLY[name])}; {architecture} takes none"
                )
        return NetworkSettings(architecture, **{"units": (), **given})


NETWORK_OPTIONS = tuple(field.name for field in fields(NetworkChoices))
"""Names of the parameters."""


def network_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options to a command, which gets them together as ``choices``."""

    @functools.wraps(command)
    def gathered(*arguments: object, **values: Any) -> None:  # noqa: ANN401 - whatever click passes
        choices = NetworkChoices(**{name: values.pop(name) for name in NETWORK_OPTIONS})
        command(*arguments, choices=choices, **values)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def _units(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    return (
        None
        if value is None
        else tuple(size for text in value.split(",") for size in _sizes(text, ctx, param))
    )


def _sizes(text: str, ctx: click.Context, param: click.Parameter) -> tuple[int, ...]:
    """Return the sizes that ``50`` or ``11x50`` stands for."""
    count, _, size = text.strip().rpartition("x")
    numbers = (count or "1", size)
    if not all(number.isdecimal() and 0 < int(number) <= 65536 for number in numbers) or int(numbers[0]) > 64:
        message = f"'{text}': layer sizes are whole numbers above 0, such as 64,16,64 or 11x50"
        raise click.BadParameter(message, ctx, param)
    return int(numbers[0]) * (int(size),)


def _components(ctx: click.Context, param: click.Parameter, value: str | None) -> int | float | None:
    if value is None or value == "auto":
        return None
    if value.isdecimal() and int(value) > 0:
        return int(value)
    try:
        share = float(value)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        message = f"'{value}': a number of components, a share of variance such as 0.95, or auto"
        raise click.BadParameter(message, ctx, param)
    return share


_OPTIONS = (
    click.option(
        "--units",
        callback=_units,
        metavar="N,N,...",
        help="Sizes of the layers, 11x50 for eleven of 50; the encoder's for conv, lstm-bottleneck and vae.  "
        "[default: by architecture; 64,16,64 for dense]",
    ),
    click.option(
        "--activation",
        type=click.Choice(ACTIVATIONS),
        help=f"Of the hidden layers.  [default: {NetworkSettings.activation}]",
    ),
    click.option(
        "--dropout",
        type=click.FloatRange(0.0, 0.9),
        help="Share of a layer silenced in training.  [default: 0]",
    ),
    click.option(
        "--kernel",
        type=click.IntRange(1, 255),
        help=f"conv: steps that a filter spans.  [default: {NetworkSettings.kernel}]",
    ),
    click.option(
        "--kl-weight",
        type=click.FloatRange(0.0, 100.0),
        help=f"vae: weight of the divergence.  [default: {NetworkSettings.kl_weight}]",
    ),
    click.option(
        "--kl-warm-up",
        "kl_warm_up_steps",
        type=click.IntRange(min=0),
        help=f"vae: batches over which it grows from 0.  [default: {NetworkSettings.kl_warm_up_steps}]",
    ),
    click.option(
        "--view",
        type=click.Choice(get_args(View)),
        help="pca: whole windows, time steps over the axes, or axes over time.  "
        f"[default: {NetworkSettings.view}]",
    ),
    click.option(
        "--components",
        callback=_components,
        metavar="N|SHARE|auto",
        help="pca: how many, the share of variance to explain, or the most likely on held-out data.  "
        "[default: auto]",
    ),
)
