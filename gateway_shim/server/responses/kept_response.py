"""gunicorn's answers, as Node's http server heads them, and the switch to our own classes."""

from __future__ import annotations

from typing import Any

from gunicorn.http import wsgi
from gunicorn.http.parser import RequestParser

from gateway_shim.protocol.http import keep_alive_header
from gateway_shim.server.requests.request import ServerRequest

__all__ = ["KeptResponse", "use_own_http"]

_KEPT = "Connection: keep-alive\r\n"


class KeptResponse(wsgi.Response):
    """An answer that says HTTP/1.1, and for how long its connection is kept."""

    def default_headers(self) -> list[str]:
        """Return the status line and the server's own headers (called by gunicorn)."""
        headers: list[str] = super().default_headers()
        # A server states its own version, whatever the client speaks (RFC 9110, section 2.5).
        headers[0] = f"HTTP/1.1 {self.status}\r\n"
        if _KEPT in headers:
            name, value = keep_alive_header(self.cfg.keepalive)
            headers.insert(headers.index(_KEPT) + 1, f"{name}: {value}\r\n")
        return headers


def use_own_http() -> None:
    """Make gunicorn, in this process, read requests and write answers by this package's classes."""
    RequestParser.mesg_class = ServerRequest
    module: Any = wsgi
    module.Response = KeptResponse
