"""Numbers in words, as the report writes them."""

from __future__ import annotations


def percent(share: float) -> str:
    """Return three digits of a share: 2.39 %."""
    return f"{100 * share:.3g} %"


def chance(probability: float) -> str:
    """Return a small probability as odds: 1 in 1,000."""
    return f"1 in {rounded(1.0 / max(probability, 1e-300))}"


def rounded(value: float) -> str:
    """Return three digits, thousands parted by commas."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def per_day(limit: float | None) -> str:
    """Return an upper limit of events a day; None if it is unknown."""
    return "rate unknown" if limit is None else f"at most {rounded(limit)} a day (95 %)"


def false_alarms(count: int) -> str:
    """Return how many false alarms there are."""
    return f"{count or 'no'} false {'alarm' if count == 1 else 'alarms'}"


def anomalies(count: int) -> str:
    """Return how many anomalies there are."""
    return f"{count} anomaly" if count == 1 else f"{count} anomalies"
