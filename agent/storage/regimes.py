"""Which regime each machine was last said to be in, kept over restarts."""

from __future__ import annotations

from datetime import datetime

from agent.storage.database import Database
from agent.utc import format_utc


class CommandedRegimes:
    """The regimes in the alert store, at most one a sensor."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, sensor: str) -> str | None:
        """Return the regime that was told last; None if none was, or none that is known.

        Raises:
            StoreError: If the database cannot be read.
        """
        with self._database.reading() as connection:
            row = connection.execute("SELECT name FROM regime WHERE sensor = ?", (sensor,)).fetchone()
        return None if row is None else str(row[0])

    def set(self, sensor: str, name: str | None, at: datetime, by: str) -> None:
        """Keep what was told.

        Args:
            sensor: Name of the sensor in the configuration.
            name: The regime; None: none that is known.
            at: UTC time.
            by: Who told it.

        Raises:
            StoreError: If it cannot be written.
        """
        with self._database.transaction(durable=False) as connection:
            connection.execute("DELETE FROM regime WHERE sensor = ?", (sensor,))
            if name is not None:
                row = (sensor, name, format_utc(at), by)
                connection.execute("INSERT INTO regime VALUES (?, ?, ?, ?)", row)
