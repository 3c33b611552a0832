"""A running gateway with a fake backend, and browsers on socket pairs."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import gevent
import pytest

from gateway_shim.event_log.log import Log
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.stats import GatewayStats
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.hub_errors import HubErrors, soon
from tests.gateway_shim.sockets import SocketClient
from tests.support.http.stream import Stream
from tests.support.timing import TIME_LIMIT

__all__ = ["BIG", "RunningGateway", "Visit", "warnings_of"]

BIG = "x" * 300_000
"""More than the kernel holds for a socket pair whose other end does not read."""


class Visit:
    """One browser's request for a stream.

    Attributes:
        client: the browser's end.
        server: the server's end, as the worker holds it.
        token: the stream's token; empty if the request was refused before there was one.
        opening: runs ``Gateway.open``, and closes the server's end if no answer is left to send.
    """

    def __init__(self, client: SocketClient, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.token = ""
        self.opening: gevent.Greenlet[[], Refusal | OpenResult]

    def outcome(self) -> Refusal | OpenResult:
        """Wait for ``Gateway.open``, and return its result."""
        return self.opening.get(timeout=TIME_LIMIT)

    def refusal(self) -> Refusal:
        """Wait for the refusal of the request."""
        refusal = self.outcome()
        assert isinstance(refusal, Refusal)
        return refusal

    def stream(self, result: OpenResult = OpenResult.OPENED) -> Stream:
        """Return the stream.

        Args:
            result: the result that ``Gateway.open`` must have.
        """
        assert self.outcome() is result
        head = self.client.read_head()
        assert head.status == 200
        return Stream(self.client, head)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    """Return the gateway's warnings, each with the token that it names."""
    return [
        (record.message, getattr(record, "token", None))
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("gateway_shim")
    ]


class RunningGateway:
    """A context manager: a started gateway, its fake backend and its browsers.

    Tokens are ``t1``, ``t2`` and so on.

    Args:
        clock: the gateway's clock.
        open_log: opens the gateway's log; None: it has none.
        config: the gateway's settings.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        open_log: Callable[[], Log] | None = None,
        **config: Any,
    ) -> None:
        self.backend = FakeBackend()
        self.tokens: list[str] = []
        self.visits: list[Visit] = []
        self.hub_errors = HubErrors()
        self.gateway = Gateway(
            self.backend,
            GatewayConfig(**config),
            clock=clock,
            new_token=self._new_token,
            open_log=open_log,
        )

    def __enter__(self) -> Self:
        """Start the gateway."""
        self.hub_errors.__enter__()
        self.gateway.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the gateway, hang up, and check that no error has reached the hub."""
        gevent.killall([visit.opening for visit in self.visits])
        self.gateway.stop()
        for visit in self.visits:
            visit.client.close()
            visit.server.close()
        self.hub_errors.__exit__(kind, error, trace)

    @property
    def stats(self) -> GatewayStats:
        """The gateway's counters, as they are now."""
        return self.gateway.read_stats()

    def visit(
        self,
        url: str = "/events",
        *,
        headers: Mapping[str, str] | None = None,
        framing: BodyFraming = BodyFraming.CHUNKED,
        address: str = "192.0.2.1",
        pair: tuple[socket.socket, socket.socket] | None = None,
        send_buffer: int | None = None,
    ) -> Visit:
        """Ask for a stream; returns while the backend is being asked, or later.

        Args:
            url: the request target.
            headers: the request's headers.
            framing: the framing that the browser can take.
            address: the browser's address.
            pair: the client's and the server's end, instead of a new pair.
            send_buffer: the bytes that the kernel holds for a client that does not read.
        """
        client, server = pair or socket.socketpair()
        if send_buffer is not None:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        visit = Visit(SocketClient(client), server)
        self.visits.append(visit)
        request = StreamRequest(url, headers or {}, framing, address)
        before = len(self.tokens)
        visit.opening = gevent.spawn(self._open, request, server)
        soon(lambda: len(self.tokens) > before or visit.opening.ready(), "the gateway to be asked")
        if len(self.tokens) > before:
            visit.token = self.tokens[before]
        return visit

    def open(self, url: str = "/events", **options: Any) -> tuple[str, Stream]:
        """Open a stream; returns its token and the browser's view of it."""
        visit = self.visit(url, **options)
        return visit.token, visit.stream()

    def stall(self, token: str) -> int:
        """Send until the kernel takes no more for a client that does not read.

        Returns:
            The number of bytes that wait now: one whole event of that size.
        """
        while not self.stats.bytes_buffered:
            self.gateway.send(token, Event(None, ""))
        return self.stats.bytes_buffered

    def wait_reason(self, token: str) -> str:
        """Wait until the backend was told of a stream's end, and return the reason."""
        return soon(lambda: self.backend.reasons.get(token), f"the end of {token}")

    def _open(self, request: StreamRequest, server: socket.socket) -> Refusal | OpenResult:
        result = self.gateway.open(request, server)
        if not isinstance(result, Refusal):
            server.close()
        return result

    def _new_token(self) -> str:
        self.tokens.append(f"t{len(self.tokens) + 1}")
        return self.tokens[-1]
