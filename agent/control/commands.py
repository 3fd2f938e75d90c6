"""Commands and their answers, the same for every door that they come in by."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from agent.decode import DecodeError, parse_json
from agent.errors import AgentError, ControlError
from firmware_bridge.errors import BridgeError

logger = logging.getLogger(__name__)

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
Handler: TypeAlias = Callable[[Mapping[str, Any]], Json]
"""Takes the arguments of the request and returns the result. The text of an ``AgentError``, ``BridgeError``
or ``ValueError`` becomes the reply; other errors are logged."""

MAX_ID = 100
"""Characters of a request's id."""


class Commands:
    """Answers requests by the handler of their command. May be used from several threads.

    A request is a JSON object ``{"command": "acknowledge", ...}``; its ``id``, if it has one, comes back with
    the answer.

    Args:
        door: Where the requests come in, for the log.
        handlers: Name of the command to what answers it.
    """

    def __init__(self, door: str, handlers: Mapping[str, Handler]) -> None:
        self._door = door
        self._handlers = dict(handlers)
        self._malformed = 0

    def answer(self, request: bytes) -> dict[str, Any]:
        """Return the reply: ``{"ok": true, "result": ...}`` or ``{"ok": false, "error": "..."}``."""
        reply_to: dict[str, Any] = {}
        try:
            document = self._parsed(request)
            reply_to = _id_of(document)
            result = self._carry_out(document)
            json.dumps(result, allow_nan=False)  # what cannot be sent is an error of the command
        except (AgentError, BridgeError, ValueError) as error:
            return refusal(error) | reply_to
        except Exception:
            logger.exception("a control command failed")
            return refusal("internal error; see the log of judder") | reply_to
        return {"ok": True, "result": result, **reply_to}

    def _parsed(self, request: bytes) -> dict[str, Any]:
        try:
            document = parse_json(request)
        except DecodeError as error:
            raise self._malformed_error(f"the request is {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("command"), str):
            raise self._malformed_error('the request has no command; send {"command": "status"}')
        return document

    def _carry_out(self, request: dict[str, Any]) -> Json:
        command = request.pop("command")
        if command not in self._handlers:
            raise self._malformed_error(
                f"unknown command '{command[:MAX_ID]}'; known are {', '.join(sorted(self._handlers))}"
            )
        return self._handlers[command](request)

    def _malformed_error(self, text: str) -> ControlError:
        """Return the error; log the first of its kind only, for a broken client may send many."""
        self._malformed += 1
        if self._malformed == 1:
            logger.warning("%s: a request is refused, and more may follow: %s", self._door, text)
        return ControlError(text)


def refusal(reason: object) -> dict[str, Any]:
    """Return the reply that refuses a request."""
    return {"ok": False, "error": str(reason)}


def _id_of(request: dict[str, Any]) -> dict[str, Any]:
    request_id = request.pop("id", None)
    if request_id is None:
        return {}
    if not isinstance(request_id, str) or len(request_id) > MAX_ID:
        raise ControlError(f"'id' must be text of at most {MAX_ID} characters")
    return {"id": request_id}
