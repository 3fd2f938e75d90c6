"""The outcome of a search, as a table for people, or as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

from trainer.sweep.space import Space, network_of
from trainer.sweep.trials import EPOCHS, PARAMETERS, REASON, Objective

_SHOWN = 10
_NAMES = {"loss": "validation loss", "roc-auc": "ROC AUC", "pr-auc": "PR AUC"}


def best_trials(study: optuna.Study, objective: Objective) -> list[FrozenTrial]:
    """Return the trials that came to an end, best first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    sign = 1.0 if objective == "loss" else -1.0
    return sorted(complete, key=lambda trial: sign * (trial.value or 0.0))


def fit_command(space: Space, trial: FrozenTrial, given: Sequence[str]) -> str:
    """Return the command line that trains a bundle as a trial was trained.

    Args:
        space: What was tried.
        trial: The trial.
        given: Recordings and options that were the same for all trials.
    """
    network = network_of(space.architecture, trial.params)
    options = [f"--arch={space.architecture}", f"--units={','.join(map(str, network.units))}"]
    names = ("activation", "dropout", "kernel", "batch_size", "learning_rate")
    options += [f"--{name.replace('_', '-')}={trial.params[name]}" for name in names if name in trial.params]
    return shlex.join(["judder-train", "fit", *given, "--out", "best-1.judder", *options])


def table(study: optuna.Study, objective: Objective, space: Space) -> str:
    """Return the best trials as a table, and what became of the others."""
    names = [dimension.name for dimension in space.dimensions]
    rows = [["trial", _NAMES[objective], "epochs", "parameters", *names]]
    rows += [
        [
            str(trial.number),
            f"{trial.value:.5g}",
            str(trial.user_attrs[EPOCHS]),
            str(trial.user_attrs[PARAMETERS]),
            *(_text(trial.params[name]) for name in names),
        ]
        for trial in best_trials(study, objective)[:_SHOWN]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, "", *_others(study)])


def as_json(study: optuna.Study, objective: Objective, command: str) -> str:
    """Return all trials, best first and then those without a value, and the command of the best."""
    best = best_trials(study, objective)
    rest = [trial for trial in study.get_trials(deepcopy=False) if trial.state is not TrialState.COMPLETE]
    document = {
        "objective": objective,
        "trials": [_document(trial) for trial in [*best, *rest]],
        "command": command,
    }
    return json.dumps(document, indent=1)


def reasons(study: optuna.Study) -> Mapping[str, int]:
    """Return how many trials ended for which reason."""
    counts: dict[str, int] = {}
    for trial in study.get_trials(deepcopy=False):
        if reason := trial.user_attrs.get(REASON):
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def _others(study: optuna.Study) -> list[str]:
    states = [trial.state for trial in study.get_trials(deepcopy=False)]
    complete, pruned, failed = (
        states.count(state) for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    )
    lines = [f"{len(states)} trials: {complete} to the end, {pruned} ended early, {failed} failed"]
    return [*lines, *(f"  {count} of them: {reason}" for reason, count in reasons(study).items())]


def _document(trial: FrozenTrial) -> dict[str, object]:
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state is TrialState.COMPLETE else None,
        "parameters": trial.params,
        "epochs": trial.user_attrs.get(EPOCHS),
        "reason": trial.user_attrs.get(REASON),
    }


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
