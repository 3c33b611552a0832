"""The clients and senders of a scenario: raw requests to one gateway."""

from __future__ import annotations

import json
from typing import Any

from gateway_shim.parity.probe import PATIENCE, Connection, request_bytes

__all__ = ["HOST_HEADER", "Client"]

HOST_HEADER = ("Host", "gw.example")


class Client:
    """Makes requests and keeps every connection until :meth:`close_all`.

    Args:
        host: where the gateway listens.
        port: its port.
        patience: how long to wait for an answer, seconds.
    """

    def __init__(self, host: str, port: int, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._host = host
        self._port = port
        self._connections: list[Connection] = []

    def connect(self, receive_buffer: int | None = None) -> Connection:
        """Open a connection.

        Raises:
            OSError: nobody listens.
        """
        connection = Connection(self._host, self._port, receive_buffer)
        self._connections.append(connection)
        return connection

    def exchange(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> Connection:
        """Make a request and read its answer to the end.

        Raises:
            OSError: no answer came.
            NotHttp: what came is none.
        """
        connection = self.connect()
        length = (("Content-Length", str(len(body))),) if body or method in ("POST", "PUT") else ()
        connection.write(request_bytes(method, target, (HOST_HEADER, *headers, *length), body))
        connection.read_head(self._patience)
        connection.read_to_end(self._patience)
        connection.close()
        return connection

    def post(self, raw: bytes, content_type: str | None) -> Connection:
        """``POST /internal/send`` of any bytes; raises as :meth:`exchange` does."""
        headers = () if content_type is None else (("Content-Type", content_type),)
        return self.exchange("POST", "/internal/send", headers, raw)

    def send(self, body: Any, token: str | None) -> Connection:
        """``POST /internal/send`` of a JSON body, ``$T`` being the token."""
        if isinstance(body, dict) and body.get("token") == "$T":
            body = {**body, "token": token}
        return self.post(json.dumps(body).encode(), "application/json")

    def close_all(self) -> None:
        """Close every connection; safe to call twice."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
