"""Clients that speak plain HTTP at a port that expects TLS: an answer in words, and a log line."""

from __future__ import annotations

import logging
import socket
from typing import Any

from gateway_shim.protocol import http as contract
from gateway_shim.protocol.http import ErrorCode, Refusal
from gateway_shim.server.requests.request import address_of
from gateway_shim.server.responses.last_answer import send_last

__all__ = ["PlainHttp"]

logger = logging.getLogger(__name__)

_ANSWER = contract.refusal_bytes(
    Refusal(
        400,
        ErrorCode.BAD_REQUEST,
        "Bad request: this port speaks HTTPS only; use a URL that begins with https://",
    ),
)


class PlainHttp:
    """Recognizes plain HTTP by its first byte, and refuses it."""

    def is_spoken(self, sock: Any) -> bool:
        """Wait for a client's first byte, and leave it where it is.

        A method is made of letters, and no TLS record begins with one (RFC 8446, section 5.1).

        Raises:
            OSError: the connection is broken.
        """
        first: bytes = sock.recv(1, socket.MSG_PEEK)
        return first.isalpha()

    def refuse(self, sock: Any, address: Any) -> None:
        """Answer 400, and close the connection. Takes some seconds at most.

        Args:
            sock: the client's socket.
            address: the client's address, as sockets give it.
        """
        logger.warning(
            "plain HTTP at the TLS port was refused; the client must use https://",
            extra={"address": address_of(address)},
        )
        send_last(sock, _ANSWER)
