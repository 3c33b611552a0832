"""Plain HTTP at a port that expects TLS: the client gets an answer that says what to do."""

from __future__ import annotations

import logging
import socket
from typing import Any

from gateway_shim.protocol import http
from gateway_shim.protocol.http import ErrorCode, Refusal
from gateway_shim.server.requests.request import address_of
from gateway_shim.server.responses.last_answer import send_last

__all__ = ["PlainHttp"]

logger = logging.getLogger(__name__)

_ANSWER = http.refusal_bytes(
    Refusal(
        400,
        ErrorCode.BAD_REQUEST,
        "Bad request: this port speaks HTTPS only; use a URL that begins with https://",
    ),
)


class PlainHttp:
    """Recognizes plain HTTP by its first byte, and refuses it."""

    def is_spoken(self, sock: Any) -> bool:
        """Wait for the first byte of a client, and return whether it begins an HTTP request.

        The byte is not consumed. A method consists of letters, and no TLS record begins with a
        letter (RFC 8446, section 5.1).

        Raises:
            OSError: the connection is broken.
        """
        first: bytes = sock.recv(1, socket.MSG_PEEK)
        return first.isalpha()

    def refuse(self, sock: Any, address: Any) -> None:
        """Answer 400 and close the connection. Takes a few seconds at most.

        Args:
            sock: the client's socket.
            address: the client's address, as sockets give it.
        """
        logger.warning(
            "plain HTTP at the TLS port was refused; the client must use https://",
            extra={"address": address_of(address)},
        )
        send_last(sock, _ANSWER)
