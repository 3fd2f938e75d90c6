"""The birth and death sequence number: a death certificate counts only for the birth with the same number."""

from __future__ import annotations

import logging

from agent.errors import StoreError
from agent.storage.database import Database

logger = logging.getLogger(__name__)

MODULUS = 256


class Births:
    """Counts connections from 0 to 255 and on from 0, over restarts.

    When the disk takes nothing, the count goes on in memory.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: int | None = None

    def next(self) -> int:
        """Return the number of the next connection."""
        number = (self._last_known() + 1) % MODULUS
        self._last = number
        try:
            with self._database.transaction(durable=False) as connection:
                connection.execute("DELETE FROM birth")
                connection.execute("INSERT INTO birth VALUES (?)", (number,))
        except StoreError as error:  # told by the store
            logger.debug("bdSeq %d is not kept: %s", number, error)
        return number

    def _last_known(self) -> int:
        if self._last is not None:
            return self._last
        try:
            with self._database.reading() as connection:
                row = connection.execute("SELECT sequence FROM birth").fetchone()
        except StoreError as error:
            logger.debug("bdSeq begins anew: %s", error)
            row = None
        return -1 if row is None else int(row[0])
