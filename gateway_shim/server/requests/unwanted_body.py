"""Bodies that the application does not need: hidden from it, discarded, or left unread."""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.lock import Semaphore

from gateway_shim.event_loop.turns import let_others_run

__all__ = [
    "SMALL_BODY_BYTES",
    "announces_body",
    "close_answered",
    "hide_body",
    "is_chunked",
    "may_follow",
]

SMALL_BODY_BYTES = 16 * 1024
"""The part of each body that does not count against the budget for all bodies.

An unwanted body up to this size is read and discarded after the answer, so that the connection
can be used again."""

_PIECE_BYTES = 64 * 1024
_QUIET_SECONDS = 5.0  # a client that has sent nothing for this long is given up
_LINGER_SECONDS = 10.0  # the longest time for which unwanted bytes are discarded
_LINGER_BYTES = 16 * 1024 * 1024  # the most unwanted bytes of a connection that are discarded

_dropping = Semaphore()
"""Limits the discarding of unwanted bytes to one piece in each turn of the event loop."""


def is_chunked(req: Any) -> bool:
    """Return whether the body of a request is chunked."""
    # gunicorn has refused every other coding, and a chunked body with a Content-Length.
    return any(name == "TRANSFER-ENCODING" for name, _ in req.headers)


def announces_body(req: Any) -> bool:
    """Return whether the head of a request announces a body."""
    return req.declared_length > 0 or is_chunked(req)


def may_follow(req: Any) -> bool:
    """Return whether another request may follow on the connection after an unwanted body.

    This requires that the announced body is small enough to be discarded after the answer, and
    that the client does not wait for ``100 Continue``: such a client sees the answer instead and
    does not send the body. A request without a body is always allowed to be followed.
    """
    if not announces_body(req):
        return True
    return req.declared_length <= SMALL_BODY_BYTES and not req._expected_100_continue


@contextmanager
def hide_body(req: Any) -> Iterator[None]:
    """Hide the body of a request from the application inside a block.

    The body stays unread. Its length and its transfer coding are hidden as well, so that the
    request looks like one without a body.
    """
    headers, body = req.headers, req.body
    req.headers = [pair for pair in headers if pair[0] not in _BODY_HEADERS]
    req.body = io.BytesIO()
    req._expected_100_continue = False  # otherwise gunicorn tells the client to send the body
    try:
        yield
    finally:
        req.headers, req.body = headers, body


_BODY_HEADERS = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT"})


def close_answered(sock: Any) -> None:
    """Close a connection after the answer, although the client may still be sending a body.

    Unread bytes would reset the connection, and the client could lose the answer. gunicorn reads
    such bytes in pieces of 4 KB and never yields: a thousand bodies of a megabyte took seconds.
    """
    # The types of gevent do not know False: the block ends without an exception.
    with contextlib.suppress(OSError), gevent.Timeout(_LINGER_SECONDS, False):  # type: ignore[arg-type]
        sock.settimeout(_QUIET_SECONDS)
        sock.shutdown(socket.SHUT_WR)
        remaining = _LINGER_BYTES
        while remaining > 0 and (data := sock.recv(_PIECE_BYTES)):
            remaining -= len(data)
            with _dropping:
                let_others_run()
    sock.close()
