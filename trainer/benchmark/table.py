"""The benchmark's table, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict

from trainer.benchmark.figures import Figures

_HEAD = (
    f"  {'detector':<34} {'ROC AUC':>8} {'float32':>8} {'PR AUC':>7} {'recall':>7} {'worst':>6} "
    f"{'bal. F1':>8} {'found':>6} {'delay':>8}  false alarms (95 % limit)"
)


def head(machine: str) -> str:
    """Return the lines above the rows of one machine."""
    return f"{machine}\n{_HEAD}"


def row(figures: Figures) -> str:
    """Return one line."""
    exact = "" if figures.float_roc_auc is None else f"{figures.float_roc_auc:.4f}"
    delay = "" if figures.delay_s is None else f"{figures.delay_s:.2f} s"
    alarms = "; ".join(
        f"{rate.kind} {rate.alarms}/{rate.windows} ({rate.limit:.3f})" for rate in figures.false_alarms
    )
    found = f"{figures.found}/{figures.kinds}"
    line = (
        f"  {figures.detector:<34} {figures.roc_auc:8.4f} {exact:>8} {figures.pr_auc:7.4f} "
        f"{figures.recall:7.3f} {figures.worst_recall:6.3f} {figures.balanced_f1:8.3f} {found:>6} "
        f"{delay:>8}  {alarms}"
    )
    return line if figures.float_roc_auc is None else f"{line}\n{kinds(figures)}"


def kinds(figures: Figures) -> str:
    """Return one line with ROC AUC and recall of each kind of defect."""
    kinds = (f"{one.kind} {one.roc_auc:.4f}/{one.recall:.3f}" for one in figures.by_kind)
    return f"    ROC AUC/recall: {', '.join(kinds)}"


def row_json(figures: Figures) -> str:
    """Return one line of JSON."""
    return json.dumps(asdict(figures))
