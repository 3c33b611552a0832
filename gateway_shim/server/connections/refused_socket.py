"""A connection whose first request was read, and got no stream, before there was a handler."""

from __future__ import annotations

import _socket
import socket
from typing import Any

import gevent.socket

from gateway_shim.protocol.http import Refusal

__all__ = ["RefusedSocket", "refusal_of"]


class RefusedSocket(gevent.socket.socket):
    """A socket that can be read again from the beginning of its connection.

    The handler parses the request once more, answers with the refusal, and goes on with the
    connection's next request, as if nothing had read before it.

    Args:
        plain: the socket of the connection, which is detached.
        received: the bytes that were read from it.
        outcome: the answer to the first request, or the error that the gateway has raised.
    """

    def __init__(
        self, plain: _socket.socket, received: bytes, outcome: Refusal | Exception
    ) -> None:
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self._received = received
        self._outcome: Refusal | Exception | None = outcome

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return the bytes that were read before, then those of the connection."""
        if not self._received:
            data: bytes = super().recv(size, flags)
            return data
        data = self._received[:size]
        if not flags & socket.MSG_PEEK:
            self._received = self._received[size:]
        return data

    def take_outcome(self) -> Refusal | Exception | None:
        """Return the outcome of the first request; None for each later request."""
        outcome, self._outcome = self._outcome, None
        return outcome


def refusal_of(sock: Any) -> Refusal | None:
    """Return the refusal that was decided before the handler began; None if there is none.

    Args:
        sock: the socket of a handler that is about to ask the gateway for a stream.

    Raises:
        Exception: the error that the gateway has raised for this request.
    """
    outcome = sock.take_outcome() if isinstance(sock, RefusedSocket) else None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
