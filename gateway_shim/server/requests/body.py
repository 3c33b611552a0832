"""A request's body, read whole before anyone works on it: bounded in size, time and memory.

A body that nobody will look at, because the application does not know the request's path or
method, is not read before the answer.
"""

from __future__ import annotations

import contextlib
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.lock import Semaphore
from gunicorn.http.errors import NoMoreData, ParseException

from gateway_shim.errors import TransferEnded
from gateway_shim.event_loop.turns import let_others_run, let_others_run_if_due
from gateway_shim.protocol.http import (
    MAX_REQUEST_BYTES,
    ErrorCode,
    Refusal,
    unavailable,
)
from gateway_shim.server.requests.chunked_body import ChunkedBody
from gateway_shim.server.requests.connections import RequestConnections
from gateway_shim.server.responses.transfers import Transfer, TransferLimits, Transfers
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason

__all__ = [
    "BODY_SECONDS",
    "SMALL_BODY_BYTES",
    "Bodies",
    "drop_body",
    "may_follow",
    "read_body",
]

BODY_SECONDS = 10.0
"""How long a client may take to send a body."""

SMALL_BODY_BYTES = 16 * 1024
"""So much of each body does not count against the budget of all bodies. A body of this size that
nobody wants is read away after the answer, so that the connection can be used again."""

_RETRY_AFTER_SECONDS = 1
"""A body that has lost its place may come back soon: places are held for seconds at most."""

_PIECE_BYTES = 64 * 1024
_LINGER_SECONDS = 2.0

_dropping = Semaphore()
"""What nobody wants to have comes last: one piece of it in each turn of the event loop."""


_REASONS = {
    400: RefusalReason.BAD_REQUEST,
    408: RefusalReason.BODY_TIMEOUT,
    413: RefusalReason.BODY_TOO_LARGE,
    503: RefusalReason.BODIES_LIMIT,
}


def read_body(
    req: Any, sock: Any, limit: int = MAX_REQUEST_BYTES, transfer: Transfer | None = None
) -> Refusal | None:
    """Read a request's body and put it in the place of the unread one.

    Args:
        req: gunicorn's request.
        sock: the client's socket.
        limit: bytes that the body may have.
        transfer: counts what the body holds; None: nothing else shares the memory.

    Returns:
        What to answer, before closing the connection, to a body that is too large, too slow or
        not all there, or for which there is no room now.

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
            for piece in _receive_chunked(req, limit) if _is_chunked(req) else _receive_plain(req):
                body.write(piece)
                transfer.hold(body.tell())
    except _TooLarge:
        return _too_large(limit)
    except TransferEnded as ended:
        return _no_room() if ended.made_room else _too_slow()
    except NoMoreData:
        return _broken_off()
    if not _is_chunked(req) and body.tell() < req.declared_length:
        return _broken_off()  # the client hung up, which gunicorn takes for the body's end
    body.seek(0)
    req.body = body
    return None


class Bodies:
    """The bodies of a worker's requests, with one budget for all of them.

    Args:
        limits: what they may cost.
        refusals: counts those that are refused.
        limit_key: returns what a client's address is counted as.
        connections: told which handlers wait for bodies, so that these make room for others.
    """

    def __init__(
        self,
        limits: TransferLimits,
        refusals: RefusalCounts,
        limit_key: Callable[[str], str] = lambda address: address,
        connections: RequestConnections | None = None,
    ) -> None:
        if connections is None:  # nobody else may need their places
            connections = RequestConnections(0, limit_key, refusals)
        self._connections = connections
        self._transfers = Transfers(limits.max_bodies_bytes, SMALL_BODY_BYTES, limit_key)
        self._refusals = refusals

    @contextmanager
    def of(self, req: Any, sock: Any, limit: int, address: str) -> Iterator[Refusal | None]:
        """Read a request's body, and hold it for as long as the block takes.

        Args:
            req: gunicorn's request.
            sock: the client's socket.
            limit: bytes that the body may have. 0: nobody will look at it, so it is not read:
                the block sees a request that has no body, and is to answer it.
            address: the client's.

        Yields:
            What to answer instead, before closing the connection; None if all is well.

        Raises:
            ParseException, OSError: as :func:`read_body`.
            MadeRoom: the connection was closed for another.
        """
        if limit:
            with self._transfers.begin(address) as transfer:
                with self._connections.receive():
                    refusal = read_body(req, sock, limit, transfer)
                if refusal is not None:
                    self._refusals.add(_REASONS[refusal.status])
                yield refusal
        elif not announces_body(req):
            req.expects_continue()  # gunicorn would say "100 Continue", though nothing can follow
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
                        _close_answered(sock)


def _close_answered(sock: Any) -> None:
    """Close a connection whose client may still be sending a body, so that it sees the answer.

    Bytes that nobody has read would reset the connection. gunicorn reads them away in pieces of
    4 KB, without letting others run: a thousand bodies of a megabyte took seconds.
    """
    with contextlib.suppress(OSError), gevent.Timeout(_LINGER_SECONDS, False):  # type: ignore[arg-type]
        sock.shutdown(socket.SHUT_WR)
        left = MAX_REQUEST_BYTES
        while left > 0 and (data := sock.recv(_PIECE_BYTES)):
            left -= len(data)
            with _dropping:
                let_others_run()
    sock.close()


def announces_body(req: Any) -> bool:
    """Return whether a request has a body, going by its head."""
    return req.declared_length > 0 or _is_chunked(req)


def may_follow(req: Any) -> bool:
    """Return whether a body that is not wanted may be read away after the answer.

    It may if it is small, as far as its head says, and if the client sends it by itself: one
    that waits to be told to go on is told by the answer not to. Where there is no body, nothing
    is in the way of the next request.
    """
    if not announces_body(req):
        return True
    return req.declared_length <= SMALL_BODY_BYTES and not req._expected_100_continue


@contextmanager
def hide_body(req: Any) -> Iterator[None]:
    """Show an application, for the time of a block, a request without its body.

    The body stays where it is, unread. Length and coding are hidden with it, so that the
    application sees a request that never had a body.
    """
    headers, body = req.headers, req.body
    req.headers = [pair for pair in headers if pair[0] not in _BODY_HEADERS]
    req.body = io.BytesIO()
    req._expected_100_continue = False  # gunicorn would tell the client to go on
    try:
        yield
    finally:
        req.headers, req.body = headers, body


_BODY_HEADERS = frozenset({"CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT"})


def drop_body(req: Any, sock: Any, limit: int = SMALL_BODY_BYTES) -> bool:
    """Read what is left of a body that nobody has asked for, so that the next request can follow.

    Args:
        req: gunicorn's request, which has been answered.
        sock: the client's socket.
        limit: bytes that the body may have.

    Returns:
        False if the next request cannot be found: the body is too large, too slow or not all
        there, or the client may not send it, because the answer came first.
    """
    if isinstance(req.body, io.BytesIO) or not announces_body(req):
        return True
    try:
        return not req.expects_continue() and read_body(req, sock, limit) is None
    except (ParseException, OSError):  # one answer is enough
        return False


class _TooLarge(Exception):
    """Leaves the loop that reads a body."""


def _is_chunked(req: Any) -> bool:
    # gunicorn has refused every other coding, and chunked beside a Content-Length.
    return any(name == "TRANSFER-ENCODING" for name, _ in req.headers)


def _receive_plain(req: Any) -> Iterator[bytes]:
    left = req.declared_length
    while left:
        piece = req.unreader.read(None, read_ahead=min(left, _PIECE_BYTES))
        if not piece:
            return
        if len(piece) > left:
            req.unreader.unread(piece[left:])
            piece = piece[:left]
        left -= len(piece)
        yield piece
        let_others_run_if_due()


def _receive_chunked(req: Any, limit: int) -> Iterator[bytes]:
    decoder = ChunkedBody()
    while not decoder.finished:
        yield decoder.feed(req.unreader.read())
        if decoder.announced > limit:
            raise _TooLarge
        let_others_run_if_due()
    req.unreader.unread(decoder.rest)
    if decoder.trailers:
        req.trailers = req.parse_headers(decoder.trailers, from_trailer=True)


def _too_large(limit: int) -> Refusal:
    message = f"The body is larger than {limit} bytes"
    return Refusal(413, ErrorCode.PAYLOAD_TOO_LARGE, message)


def _broken_off() -> Refusal:
    return Refusal(400, ErrorCode.BAD_REQUEST, "Bad request: the body broke off")


def _too_slow() -> Refusal:
    message = f"The body did not arrive within {BODY_SECONDS:g} s"
    return Refusal(408, ErrorCode.REQUEST_TIMEOUT, message)


def _no_room() -> Refusal:
    message = "Too many bodies are being received; send the request again later"
    return unavailable(ErrorCode.TOO_MANY_CONNECTIONS, message, _RETRY_AFTER_SECONDS)
