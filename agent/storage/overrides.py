"""Thresholds that a person has set in place of the bundle's, kept over restarts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.inference.scoring import Threshold, Thresholds
from agent.storage.database import Database
from agent.utc import format_utc, parse_utc


@dataclass(frozen=True)
class ThresholdOverride:
    """One sensor's thresholds as a person wants them."""

    sensor: str
    """Name of the sensor in the configuration."""
    warning: float
    """On the scale of the calibrated score, as the next."""
    alarm: float
    set_at: datetime
    """UTC."""
    set_by: str

    @property
    def thresholds(self) -> Thresholds:
        """As the alarm takes them.

        Raises:
            ValueError: If the alarm threshold lies below the warning threshold.
        """
        method = f"set by {self.set_by}"
        return Thresholds(Threshold(self.warning, method), Threshold(self.alarm, method))


class ThresholdOverrides:
    """The overrides in the alert store, at most one a sensor."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, sensor: str) -> ThresholdOverride | None:
        """Return the sensor's override, if there is one.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT sensor, warning, alarm, set_at, set_by FROM threshold WHERE sensor = ?", (sensor,)
            ).fetchone()
        if row is None:
            return None
        name, warning, alarm, set_at, set_by = row
        return ThresholdOverride(name, warning, alarm, parse_utc(set_at), set_by)

    def set(self, override: ThresholdOverride) -> None:
        """Keep an override in place of an earlier one.

        Raises:
            StoreError: If it cannot be written.
        """
        row = (
            override.sensor,
            override.warning,
            override.alarm,
            format_utc(override.set_at),
            override.set_by,
        )
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO threshold VALUES (?, ?, ?, ?, ?)", row)

    def remove(self, sensor: str) -> None:
        """Forget the sensor's override, if there is one.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM threshold WHERE sensor = ?", (sensor,))
