"""Answers Prometheus over HTTP on this machine."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from agent.errors import AgentError, ConfigError
from agent.reporting.metrics import CONTENT_TYPE

logger = logging.getLogger(__name__)

CLIENT_TIMEOUT_S = 5.0


class MetricsServer:
    """Serves ``GET /metrics`` in a thread of its own. ``close`` may be called twice.

    Args:
        address: Host and port; a local one, for there is no password.
        metrics: Returns what is answered; called in a thread of the server's.

    Raises:
        ConfigError: If the address cannot be had.
    """

    def __init__(self, address: tuple[str, int], metrics: Callable[[], str]) -> None:
        try:
            self._server = _Server(address, _handler(metrics))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"metrics.listen = '{address[0]}:{address[1]}': {reason}; choose another port"
            raise ConfigError(None, [problem]) from error
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port that answers."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Start to answer; once."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(CLIENT_TIMEOUT_S)
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say so in the log and not on standard error."""
        logger.debug("a client of the metrics went away: %s", client_address)


def _handler(metrics: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = CLIENT_TIMEOUT_S

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(HTTPStatus.NOT_FOUND, "metrics are at /metrics")
                return
            try:
                body = metrics().encode()
            except AgentError as error:
                # In the body: a status line has no room for what paths may hold.
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, explain=str(error))
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: requests come all the time."""

    return Handler
