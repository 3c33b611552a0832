"""Sends the last answer on a connection, so that the client can read it before the end."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.util import close_graceful

__all__ = ["send_last"]

logger = logging.getLogger(__name__)

_SECONDS = 2.0
"""The time limit for sending, and the time limit for the client to close its side, seconds."""


def send_last(sock: Any, answer: bytes, seconds: float = _SECONDS) -> None:
    """Send an answer, wait until the client has read it, and close the connection.

    The connection is not closed at once: unread bytes would reset it, and the client could lose
    the answer. A broken connection raises no exception.

    Args:
        sock: the client's socket.
        answer: a complete answer with ``Connection: close``.
        seconds: the time limit for sending, and the time limit for waiting.
    """
    try:
        sock.settimeout(seconds)
        sock.sendall(answer)
    except OSError as exc:  # also if the client does not read, so that waiting would be useless
        logger.debug("the answer could not be sent: %s", exc)
        sock.close()
        return
    close_graceful(sock, seconds)
