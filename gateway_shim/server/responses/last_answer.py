"""The last answer on a connection: a client gets it whole, or is given up after some seconds."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.util import close_graceful

__all__ = ["send_last"]

logger = logging.getLogger(__name__)

_SECONDS = 2.0
"""Seconds for the sending, and as many for the client to close its side."""


def send_last(sock: Any, answer: bytes, seconds: float = _SECONDS) -> None:
    """Send an answer, wait until the client has read it, and close the connection.

    The connection is not closed at once: bytes that nobody has read would reset it, and the client
    would not see the answer. Never raises for a broken connection.

    Args:
        sock: the client's socket.
        answer: a whole answer, with ``Connection: close``.
        seconds: time limit of the sending, and of the waiting.
    """
    try:
        sock.settimeout(seconds)
        sock.sendall(answer)
    except OSError as gone:  # or the client reads nothing: then waiting for it is of no use
        logger.debug("the answer could not be sent: %s", gone)
        sock.close()
        return
    close_graceful(sock, seconds)
