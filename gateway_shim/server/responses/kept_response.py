"""gunicorn's response with the status line and connection headers of Node's http server."""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser

from gateway_shim.protocol.http import keep_alive_header
from gateway_shim.server.requests.request import ServerRequest

__all__ = ["KeptResponse", "use_own_http"]

_KEPT = "Connection: keep-alive\r\n"


class KeptResponse(wsgi.Response):
    """A response with HTTP/1.1 in its status line and with a ``Keep-Alive`` header."""

    def default_headers(self) -> list[str]:
        """Return the status line and the server's own headers (called by gunicorn)."""
        headers: list[str] = super().default_headers()
        # A server sends its own version, not that of the client (RFC 9110, section 2.5).
        headers[0] = f"HTTP/1.1 {self.status}\r\n"
        if _KEPT in headers:
            name, value = keep_alive_header(self.cfg.keepalive)
            headers.insert(headers.index(_KEPT) + 1, f"{name}: {value}\r\n")
        return headers


def use_own_http() -> None:
    """Make gunicorn use this package's classes for requests and responses in this process."""
    RequestParser.mesg_class = ServerRequest
    module: Any = wsgi
    module.Response = KeptResponse
