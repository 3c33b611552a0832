"""Opens the streams of new connections whose first request is an ordinary one, without a handler.

A handler costs more than all the rest of a connect: gunicorn's loop, its parser, an environ, a
socket of gevent with its watchers, and timers. A stream uses each of them once, for less than a
millisecond. So a connection whose whole head has arrived, in the form that
:mod:`gateway_shim.server.requests.ordinary_head` recognizes, goes to the gateway directly, in a
plain greenlet, because the backend may block. Every other connection gets a handler. So does a
connection whose stream is refused: the handler answers, and serves the connection's next request.

Even a greenlet costs a twentieth of a connect, because Python maps 16 KB of memory for its frames.
So one greenlet opens all streams of a round, one after the other, until one of them has to wait.
Then the next greenlet goes on with the others. When nothing is left to do, one greenlet stays for
the next round. Each connect has its own copy of the context variables.

The bytes of the head are read before the backend is asked. If they were still unread, the end of
the connection would be hidden behind them (:mod:`gateway_shim.streams.sockets.borrowed_socket`).
"""

from __future__ import annotations

import _socket
import logging
import socket
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, NamedTuple, cast

import gevent
from gevent.hub import Waiter
from gevent.pool import Pool

from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.server.connections.refused_socket import RefusedSocket
from gateway_shim.server.requests.ordinary_head import MAX_BYTES, MAX_HEADERS, ordinary_head
from gateway_shim.server.requests.request import address_of
from gateway_shim.streams.gateway import Gateway

__all__ = ["Handle", "StreamOpenings", "may_open"]

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.01
"""Seconds until the next attempt if no handler is free."""

Handle = Callable[[Any, Any], object]
"""Serves a connection until its end. Takes gevent's socket and the peer's address."""


def may_open(cfg: Any) -> bool:
    """Return whether gunicorn's options allow heads to be read without its parser.

    Args:
        cfg: gunicorn's configuration. The options that limit heads, or that let something else
            come before a head, need the parser.
    """
    fields, size = cfg.limit_request_fields, cfg.limit_request_field_size
    return (
        not cfg.is_ssl
        and cfg.proxy_protocol == "off"
        and cfg.http2_cleartext == "off"
        and (fields <= 0 or fields >= MAX_HEADERS)
        and (size <= 0 or size >= MAX_BYTES)
    )


class _Connect(NamedTuple):
    """A connection whose stream is to be opened.

    Args:
        sock: the socket.
        address: the peer's address, as sockets return it.
        request: the request.
        received: the bytes that were read from the socket: the request, and what follows it.
        handle: serves the connection if there is no stream.
    """

    sock: _socket.socket
    address: Any
    request: StreamRequest
    received: bytes
    handle: Handle


class _Resting(NamedTuple):
    """A greenlet that has nothing to do.

    Args:
        greenlet: the greenlet.
        waiter: wakes it.
    """

    greenlet: gevent.Greenlet[..., object]
    waiter: Waiter[None]


class StreamOpenings:
    """Opens streams for new connections of one listener.

    Args:
        gateway: opens the streams.
        listener: the address that the server listens at; None: a Unix socket.
        handlers: the greenlets of the listener's connections. Those that open streams are among
            them, because they may have to wait as long.
    """

    def __init__(self, gateway: Gateway, listener: str | None, handlers: Pool) -> None:
        self._gateway = gateway
        self._listener = listener
        self._handlers = handlers
        # The connects that no greenlet has begun with, oldest first.
        self._waiting: deque[_Connect] = deque()
        # True from the start of a greenlet until it had its first turn, or while none is free.
        self._is_starting = False
        # The greenlet that stays for the next round, which is no handler meanwhile.
        self._resting: _Resting | None = None
        self._is_closed = False
        # The next attempt if no handler is free; None: there was a free one.
        self._timer: Any = None

    def __len__(self) -> int:
        """Return the number of connects that no greenlet has begun with."""
        return len(self._waiting)

    def take(self, sock: _socket.socket, address: Any, handle: Handle) -> bool:
        """Open the stream that a new connection asks for. Called in the hub: does not block.

        Args:
            sock: the socket of a connection whose request line asks for a stream.
            address: the peer's address, as sockets return it.
            handle: serves the connection if there is no stream.

        Returns:
            False if the connection needs a handler. Then no bytes were consumed.
        """
        if self._handlers.full():
            return False
        try:
            head = ordinary_head(sock.recv(MAX_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            if head is None:
                return False
            received = sock.recv(MAX_BYTES, socket.MSG_DONTWAIT)
        except OSError:  # no bytes yet, or a broken connection
            return False
        forwarded = head.headers.get("x-forwarded-for")
        hops = () if forwarded is None else (str(forwarded),)
        request = StreamRequest(
            url=head.target,
            headers=head.headers,
            address=self._gateway.proxies.client(address_of(address), hops),
            listener=self._listener,
        )
        self._waiting.append(_Connect(sock, address, request, received, handle))
        if not self._is_starting:
            self._start()
        return True

    def close(self) -> None:
        """Let no greenlet stay for the next round. Streams that are asked for are opened."""
        self._is_closed = True
        if self._resting is not None:
            self._wake(self._resting)

    def _start(self) -> None:
        self._is_starting = True
        if self._resting is not None:
            self._handlers.add(self._resting.greenlet)  # does not block: it is not full
            self._wake(self._resting)
        else:
            self._handlers.spawn(self._run)
        gevent.get_hub().loop.run_callback(self._go_on)  # after the greenlet's first turn

    def _wake(self, resting: _Resting) -> None:
        self._resting = None
        gevent.get_hub().loop.run_callback(resting.waiter.switch, None)

    def _go_on(self) -> None:
        """Start one more greenlet if the last one has to wait. Called in the hub."""
        self._is_starting = False
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        if not self._waiting:
            return
        if not self._handlers.full():
            self._start()
            return
        self._is_starting = True
        self._timer = gevent.get_hub().loop.timer(_PAUSE_SECONDS)
        self._timer.start(self._go_on)

    def _run(self) -> None:
        """Open streams until no connect is left, and stay if no other greenlet does."""
        try:
            while True:
                while self._waiting:
                    copy_context().run(self._open, self._waiting.popleft())
                if self._is_closed or self._resting is not None:
                    return
                self._rest()
        except BaseException:  # the greenlet was killed: the server ends
            while self._waiting:
                self._waiting.popleft().sock.close()
            raise

    def _rest(self) -> None:
        """Leave the handlers until the next round."""
        greenlet = cast("gevent.Greenlet[..., object]", gevent.getcurrent())
        resting = _Resting(greenlet, Waiter())
        self._handlers.discard(greenlet)
        self._resting = resting
        resting.waiter.get()

    def _open(self, connect: _Connect) -> None:
        """Ask the gateway. If there is no stream, serve the connection as a handler."""
        sock = connect.sock
        try:
            outcome = self._ask(connect)
            if outcome is not None:
                refused = RefusedSocket(sock, connect.received, outcome)
                try:
                    connect.handle(refused, connect.address)
                finally:
                    refused.close()
        except Exception:
            logger.exception("the connection of a refused stream could not be served")
        finally:
            sock.close()  # does nothing if the stream or the handler has taken the descriptor

    def _ask(self, connect: _Connect) -> Refusal | Exception | None:
        """Ask the gateway, and return what the handler must answer; None if there is no answer."""
        # Below gevent: the gateway uses only what both kinds of sockets have.
        sock = cast("socket.socket", connect.sock)
        try:
            outcome = self._gateway.open(connect.request, sock)
        except Exception as exc:
            if sock.fileno() >= 0:
                return exc
            logger.exception("a stream failed while it opened")  # it has the connection already
            return None
        return outcome if isinstance(outcome, Refusal) else None
