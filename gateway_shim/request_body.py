"""A request's body, read whole before anyone works on it: bounded in size and in time."""

from __future__ import annotations

import io
from typing import Any

import gevent

from gateway_shim.contract import MAX_REQUEST_BYTES, ErrorCode, Refusal, error_body

__all__ = ["BODY_SECONDS", "drop_body", "read_body"]

BODY_SECONDS = 10.0
"""How long a client may take to send a body."""


def read_body(req: Any, sock: Any) -> Refusal | None:
    """Read a request's body and put it in the place of the unread one.

    Args:
        req: gunicorn's request.
        sock: the client's socket.

    Returns:
        What to answer, before closing the connection, to a body that is too large, too slow or
        not all there.
    """
    too_large = Refusal(
        413,
        error_body(
            ErrorCode.PAYLOAD_TOO_LARGE, f"The body is larger than {MAX_REQUEST_BYTES} bytes"
        ),
    )
    if req.declared_length > MAX_REQUEST_BYTES:
        return too_large
    if req.expects_continue():
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    timer = gevent.Timeout.start_new(BODY_SECONDS)
    try:
        body = req.body.read(MAX_REQUEST_BYTES + 1)
    except gevent.Timeout as exc:
        if exc is not timer:
            raise
        return Refusal(
            408,
            error_body(
                ErrorCode.REQUEST_TIMEOUT, f"The body did not arrive within {BODY_SECONDS:g} s"
            ),
        )
    finally:
        timer.close()
    if len(body) > MAX_REQUEST_BYTES:
        return too_large
    if len(body) < req.declared_length:  # the client hung up: gunicorn takes that for the end
        return Refusal(400, error_body(ErrorCode.BAD_REQUEST, "Bad request: the body broke off"))
    req.body = io.BytesIO(body)
    return None


def drop_body(req: Any, sock: Any) -> bool:
    """Read what is left of a body that nobody has asked for, so that the next request can follow.

    Args:
        req: gunicorn's request, which has been answered.
        sock: the client's socket.

    Returns:
        False if the next request cannot be found: the body is too large, too slow or not all
        there, or the client may not send it, because the answer came first.
    """
    if isinstance(req.body, io.BytesIO):
        return True
    return not req.expects_continue() and read_body(req, sock) is None
