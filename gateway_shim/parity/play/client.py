"""The clients and senders of a scenario, which make raw requests to one gateway."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from gateway_shim.parity.play.probe import PATIENCE, ProbeConnection, request_bytes

__all__ = ["HOST_HEADER", "PACKINGS", "Client"]

HOST_HEADER = ("Host", "gw.example")

_PADDING = b" " * 2_000_000  # JSON may end in spaces

PACKINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip twice": lambda raw: gzip.compress(raw[:9]) + gzip.compress(raw[9:]),
    "gzip cut": lambda raw: gzip.compress(raw)[:-9],
    "gzip and more": lambda raw: gzip.compress(raw) + b"more",
    "gzip of 2 MB": lambda raw: gzip.compress(raw + _PADDING),
    "deflate of 2 MB": lambda raw: zlib.compress(raw + _PADDING),
    "deflate without zlib's header": lambda raw: zlib.compress(raw, wbits=-zlib.MAX_WBITS),
}
"""The ways to compress the body of a send, right and wrong, by name."""


class Client:
    """Makes requests and keeps every connection until :meth:`close_all`.

    Args:
        host: the address where the gateway listens.
        port: the gateway's port.
        patience: how long to wait for an answer, seconds.
    """

    def __init__(self, host: str, port: int, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._host = host
        self._port = port
        self._connections: list[ProbeConnection] = []

    @property
    def port(self) -> int:
        """The gateway's port."""
        return self._port

    def connect(self, receive_buffer: int | None = None) -> ProbeConnection:
        """Open a connection.

        Raises:
            OSError: nothing listens at the address.
        """
        connection = ProbeConnection(self._host, self._port, receive_buffer)
        self._connections.append(connection)
        return connection

    def exchange(
        self, method: str, target: str, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> ProbeConnection:
        """Make a request and read its answer to the end.

        Returns:
            The connection, which holds the answer and is closed.

        Raises:
            OSError: no answer came.
            NotHttp: the answer is not HTTP.
        """
        connection = self.connect()
        length = (("Content-Length", str(len(body))),) if body or method in ("POST", "PUT") else ()
        connection.write(request_bytes(method, target, (HOST_HEADER, *headers, *length), body))
        connection.read_head(self._patience)
        connection.read_to_end(self._patience)
        connection.close()
        return connection

    def post(self, raw: bytes, content_type: str | None, coding: str = "") -> ProbeConnection:
        """Send ``POST /internal/send`` with any bytes; raises as :meth:`exchange` does."""
        headers = () if content_type is None else (("Content-Type", content_type),)
        if coding:
            headers = (*headers, ("Content-Encoding", coding))
        return self.exchange("POST", "/internal/send", headers, raw)

    def send(
        self, body: Any, token: str | None, *, coding: str = "", packing: str = ""
    ) -> ProbeConnection:
        """Send ``POST /internal/send`` with a JSON body, in which ``$T`` becomes the token.

        Args:
            body: the body.
            token: the stream's token.
            coding: the Content-Encoding; empty for none.
            packing: how the body is compressed, a name of :data:`PACKINGS`.
        """
        if isinstance(body, dict) and body.get("token") == "$T":
            body = {**body, "token": token}
        raw = PACKINGS[packing](json.dumps(body).encode())
        return self.post(raw, "application/json", coding)

    def close_all(self) -> None:
        """Close every connection; can be called twice."""
        for connection in self._connections:
            connection.close()
        self._connections.clear()
