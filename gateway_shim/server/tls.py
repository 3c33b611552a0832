"""TLS servers: they limit the handshake, and answer clients that speak plain HTTP."""

from __future__ import annotations

import logging
import ssl
from typing import Any

import gevent

from gateway_shim.server.connections.connection_groups import Line
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.connections.request_server import RequestServer
from gateway_shim.server.requests.request import address_of
from gateway_shim.server.responses.plain_http import PlainHttp

__all__ = ["HANDSHAKE_SECONDS", "TlsServer"]

logger = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
"""The time that a client has for the TLS handshake."""


class TlsServer(RequestServer):
    """A TLS server that limits the time of the handshake.

    Args:
        listener: the listening socket.
        context: the certificate and the TLS settings.
        connections: counts the connections that are not streams.
        line: the connections of this listener.
        options: the other arguments of RequestServer.
    """

    def __init__(
        self,
        listener: Any,
        context: ssl.SSLContext,
        connections: RequestConnections,
        line: Line,
        **options: Any,
    ) -> None:
        self._context = context
        self._plain_http = PlainHttp()
        super().__init__(listener, connections, line, ssl_context=context, **options)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Serve one client. gevent calls this in a new greenlet."""
        sock = None
        try:
            with gevent.Timeout(HANDSHAKE_SECONDS, TimeoutError("TLS handshake")):
                if not self._plain_http.is_spoken(client_socket):
                    sock = self._context.wrap_socket(client_socket, server_side=True)
        except OSError as exc:  # no TLS, a certificate that the client distrusts, or a time-out
            logger.debug(
                "no TLS session", extra={"address": address_of(address), "error": str(exc)}
            )
            self._connections.leave()  # the descriptor may be closed already
            client_socket.close()
            return None
        if sock is None:
            self._connections.leave()
            self._plain_http.refuse(client_socket, address)
            return None
        try:
            return self.handle(sock, address)
        finally:
            sock.close()
