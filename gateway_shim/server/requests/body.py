"""Reads the whole body of a request before the application runs: bounded in size, time, and memory.

If the application does not need the body, because it has no route for the request's path and
method, the body is not read before the answer.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException

from gateway_shim.errors import TransferEnded
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol.http import (
    MAX_REQUEST_BYTES,
    ErrorCode,
    Refusal,
    unavailable,
)
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.requests.chunked_body import ChunkedBody
from gateway_shim.server.requests.unwanted_body import (
    SMALL_BODY_BYTES,
    announces_body,
    close_answered,
    hide_body,
    is_chunked,
    may_follow,
)
from gateway_shim.server.responses.transfers import Transfer, TransferLimits, Transfers
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = ["BODY_SECONDS", "Bodies", "drop_body", "read_body"]

BODY_SECONDS = 10.0
"""The seconds that a client may take to send a body."""

_RETRY_AFTER_SECONDS = 1
"""Seconds until a refused body may be sent again: other bodies hold memory for seconds only."""

_PIECE_BYTES = 64 * 1024

_REASONS = {
    400: RefusalReason.BAD_REQUEST,
    408: RefusalReason.BODY_TIMEOUT,
    413: RefusalReason.BODY_TOO_LARGE,
    503: RefusalReason.BODIES_LIMIT,
}


def read_body(
    req: Any, sock: Any, limit: int = MAX_REQUEST_BYTES, transfer: Transfer | None = None
) -> Refusal | None:
    """Read the body of a request, and replace the unread body by it.

    Args:
        req: gunicorn's request.
        sock: the client's socket.
        limit: the maximum size of the body, bytes.
        transfer: counts the bytes that the body holds; None: the memory is not shared.

    Returns:
        None if the body was read. Otherwise the refusal to send before the connection is closed:
        the body is too large, too slow, or incomplete, or the memory for bodies is exhausted.

    Raises:
        ParseException: the chunked coding is malformed.
        OSError: the connection is broken.
    """
    if req.declared_length > limit:
        return _too_large(limit)
    if req.expects_continue():
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    transfer = transfer or Transfers(limit, 0).begin("")
    body = io.BytesIO()
    try:
        with transfer.waiting(BODY_SECONDS):
            for piece in _receive_chunked(req, limit) if is_chunked(req) else _receive_plain(req):
                body.write(piece)
                transfer.hold(body.tell())
    except _TooLarge:
        return _too_large(limit)
    except TransferEnded as exc:
        return _no_room() if exc.made_room else _too_slow()
    except NoMoreData:
        return _incomplete()
    if not is_chunked(req) and body.tell() < req.declared_length:
        return _incomplete()  # the client hung up; gunicorn treats that as the end of the body
    body.seek(0)
    req.body = body
    return None


class Bodies:
    """Reads the bodies of a worker's requests under one common memory budget.

    Args:
        limits: the limits of size and memory.
        refusals: counts the refused bodies.
        limit_key: maps a client's address to the key under which limits count it.
        connections: notes which handlers wait for bodies. Their connections can be closed to make
            room for others.
    """

    def __init__(
        self,
        limits: TransferLimits,
        refusals: RefusalCounts,
        limit_key: Callable[[str], str] = lambda address: address,
        connections: RequestConnections | None = None,
    ) -> None:
        if connections is None:  # no other connection may need the place
            connections = RequestConnections(0, limit_key, refusals)
        self._connections = connections
        self._transfers = Transfers(limits.max_bodies_bytes, SMALL_BODY_BYTES, limit_key)
        self._refusals = refusals

    @contextmanager
    def of(self, req: Any, sock: Any, limit: int, address: str) -> Iterator[Refusal | None]:
        """Read the body of a request, and hold its memory until the block ends.

        Args:
            req: gunicorn's request.
            sock: the client's socket.
            limit: the maximum size of the body, bytes. 0: the application does not need the body,
                so it is not read. Inside the block the request then appears to have no body.
            address: the address of the client.

        Yields:
            None if the request can be handled. Otherwise the refusal to send before the
            connection is closed.

        Raises:
            ParseException, OSError: as :func:`read_body`.
            MadeRoom: the connection was closed to make room for another one.
        """
        if limit:
            with self._transfers.begin(address) as transfer:
                with self._connections.receive():
                    refusal = read_body(req, sock, limit, transfer)
                if refusal is not None:
                    self._refusals.add(_REASONS[refusal.status])
                yield refusal
        elif not announces_body(req):
            # Otherwise gunicorn sends "100 Continue", although no body may follow.
            req.expects_continue()
            yield None
        else:
            if not may_follow(req):
                req.force_close()
            try:
                with hide_body(req):
                    yield None
            finally:
                if req.must_close:
                    with self._connections.receive():
                        close_answered(sock)


def drop_body(req: Any, sock: Any, limit: int = SMALL_BODY_BYTES) -> bool:
    """Discard the unread body of an answered request, so that the next request can be read.

    Args:
        req: gunicorn's request, which has been answered.
        sock: the client's socket.
        limit: the maximum size of the body, bytes.

    Returns:
        False if no further request can be read: the body is too large, too slow, or incomplete, or
        the client waits for ``100 Continue`` and therefore does not send it.
    """
    if isinstance(req.body, io.BytesIO) or not announces_body(req):
        return True
    try:
        return not req.expects_continue() and read_body(req, sock, limit) is None
    except (ParseException, OSError):  # the request has been answered already
        return False


class _TooLarge(Exception):
    """Ends the loop that reads a body because the body is too large."""


def _receive_plain(req: Any) -> Iterator[bytes]:
    remaining = req.declared_length
    while remaining:
        piece = req.unreader.read(None, read_ahead=min(remaining, _PIECE_BYTES))
        if not piece:
            return
        if len(piece) > remaining:
            req.unreader.unread(piece[remaining:])
            piece = piece[:remaining]
        remaining -= len(piece)
        yield piece
        if remaining:  # after the last piece, requests that came later would overtake this one
            let_others_run_if_due()


def _receive_chunked(req: Any, limit: int) -> Iterator[bytes]:
    decoder = ChunkedBody()
    while not decoder.finished:
        yield decoder.feed(req.unreader.read())
        if decoder.announced > limit:
            raise _TooLarge
        if not decoder.finished:
            let_others_run_if_due()
    req.unreader.unread(decoder.rest)
    if decoder.trailers:
        req.trailers = req.parse_headers(decoder.trailers, from_trailer=True)


def _too_large(limit: int) -> Refusal:
    message = f"The body is larger than {limit} bytes"
    return Refusal(413, ErrorCode.PAYLOAD_TOO_LARGE, message)


def _incomplete() -> Refusal:
    return Refusal(400, ErrorCode.BAD_REQUEST, "Bad request: the body is incomplete")


def _too_slow() -> Refusal:
    message = f"The body did not arrive within {BODY_SECONDS:g} s"
    return Refusal(408, ErrorCode.REQUEST_TIMEOUT, message)


def _no_room() -> Refusal:
    message = "Too many bodies are being received; send the request again later"
    return unavailable(ErrorCode.TOO_MANY_CONNECTIONS, message, _RETRY_AFTER_SECONDS)
