"""A gateway on a test rig: a backend that does what a test says, browsers on socket pairs."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import gevent
import pytest

from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from tests.support.http.client import Connection
from tests.support.http.stream import Stream
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = [
    "BIG",
    "FakeBackend",
    "FakeClock",
    "HubErrors",
    "Rig",
    "SocketClient",
    "Visit",
    "fill",
    "tcp_pair",
    "warnings_of",
]


T = TypeVar("T")

BIG = "x" * 300_000
"""More than the kernel holds for a socket pair whose other end does not read."""


class FakeClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self.now


class FakeBackend:
    """A backend that notes what it is told.

    Attributes:
        answer: what a connect gets.
        during: called inside the connect callback with the stream's token.
        calls: every callback's payload.
        told: called inside the disconnect callback with the stream's token.
        disconnects_fail: whether disconnects do not arrive.
        flushes: the time limit of every flush.
    """

    def __init__(self) -> None:
        self.configured = True
        self.answer: CallbackAnswer | CallbackFailure = CallbackAnswer(200)
        self.during: Callable[[str], object] = lambda token: None
        self.told: Callable[[str], object] = lambda token: None
        self.calls: list[dict[str, Any]] = []
        self.disconnects_fail = False
        self.flushes: list[float] = []

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Note it, do what the test says, and answer."""
        self.calls.append(dict(payload))
        self.during(payload["token"])
        return self.answer

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Note it."""
        self.told(payload["token"])
        self.calls.append(dict(payload))
        if self.disconnects_fail:
            failed()

    def flush(self, seconds: float) -> None:
        """Note it."""
        self.flushes.append(seconds)

    @property
    def reasons(self) -> dict[str, str]:
        """Why each stream ended, by token, as far as it was told."""
        return {call["token"]: call["reason"] for call in self.calls if "reason" in call}


class HubErrors:
    """A context manager: nothing may escape into the hub meanwhile.

    Attributes:
        seen: the errors that did; a test that expects some clears the list.
    """

    def __init__(self) -> None:
        self.seen: list[BaseException] = []

    def __enter__(self) -> Self:
        """Start to look."""
        self._hub = gevent.get_hub()
        self._hub.handle_error = self._note  # type: ignore[method-assign]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Check, unless the test has failed already."""
        del self._hub.handle_error
        if error is None:
            assert self.seen == []

    def _note(self, context: object, kind: object, value: BaseException, trace: object) -> None:
        if not isinstance(value, gevent.GreenletExit):
            self.seen.append(value)


class SocketClient(Connection):
    """The browser's end of a socket pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.port = 0
        self.host = "pair"
        self.socket = sock
        self._held = b""


class Visit:
    """One browser's request for a stream.

    Attributes:
        client: the browser's end.
        server: the server's end, as the worker holds it.
        token: the stream's, or empty if it was refused before it had one.
        opening: runs ``Gateway.open``, and closes the server's end if nothing is left to answer.
    """

    def __init__(self, client: SocketClient, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.token = ""
        self.opening: gevent.Greenlet[[], Refusal | None]

    def outcome(self) -> Refusal | None:
        """What ``Gateway.open`` returned, once it has."""
        return self.opening.get(timeout=TIME_LIMIT)

    def stream(self) -> Stream:
        """The stream, which must have opened."""
        assert self.outcome() is None
        head = self.client.read_head()
        assert head.status == 200
        return Stream(self.client, head)


def soon(predicate: Callable[[], T | None], what: str) -> T:
    """Wait for what a few turns of the hub should bring, without a pause between them.

    Raises:
        TimeLimitPassed: it did not happen.
    """
    for _ in range(100):
        answer = predicate()
        if answer:
            return answer
        gevent.sleep(0)
    return wait_until(predicate, what)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection: client, server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        return client, server


def fill(sock: socket.socket) -> None:
    """Send ``x`` until the kernel takes no more."""
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 10_000)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    """The gateway's warnings, and which token each is about."""
    return [
        (record.message, getattr(record, "token", None))
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("gateway_shim")
    ]


class Rig:
    """A context manager: a started gateway, its fake backend and its browsers.

    Tokens are ``t1``, ``t2`` and so on.

    Args:
        clock: the gateway's clock.
        config: the gateway's settings.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, **config: Any) -> None:
        self.backend = FakeBackend()
        self.tokens: list[str] = []
        self.visits: list[Visit] = []
        self.hub_errors = HubErrors()
        self.gateway = Gateway(
            self.backend, GatewayConfig(**config), clock=clock, new_token=self._new_token
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
        """Stop it, hang up, and check that nothing escaped into the hub."""
        gevent.killall([visit.opening for visit in self.visits])
        self.gateway.stop()
        for visit in self.visits:
            visit.client.close()
            visit.server.close()
        self.hub_errors.__exit__(kind, error, trace)

    def visit(
        self,
        url: str = "/events",
        *,
        headers: Mapping[str, str] | None = None,
        http_1_0: bool = False,
        address: str = "192.0.2.1",
        pair: tuple[socket.socket, socket.socket] | None = None,
        send_buffer: int | None = None,
    ) -> Visit:
        """Ask for a stream; returns while the backend is being asked, or later.

        Args:
            pair: client's and server's end, instead of a fresh pair.
            send_buffer: bytes the kernel holds for a client that does not read.
        """
        client, server = pair or socket.socketpair()
        if send_buffer is not None:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        visit = Visit(SocketClient(client), server)
        self.visits.append(visit)
        request = StreamRequest(url, headers or {}, http_1_0, address)
        before = len(self.tokens)
        visit.opening = gevent.spawn(self._open, request, server)
        soon(lambda: len(self.tokens) > before or visit.opening.ready(), "the gateway to be asked")
        if len(self.tokens) > before:
            visit.token = self.tokens[before]
        return visit

    def open(self, url: str = "/events", **options: Any) -> tuple[str, Stream]:
        """Ask for a stream that opens; returns its token and the browser's view of it."""
        visit = self.visit(url, **options)
        return visit.token, visit.stream()

    def stall(self, token: str) -> int:
        """Send until the kernel takes no more for a client that does not read.

        Returns:
            How many bytes wait now: one whole event of that size.
        """
        while not self.gateway.stats.bytes_buffered:
            self.gateway.send(token, Event(None, ""))
        return self.gateway.stats.bytes_buffered

    def wait_reason(self, token: str) -> str:
        """Why a stream ended, once the backend was told."""
        return soon(lambda: self.backend.reasons.get(token), f"the end of {token}")

    def _open(self, request: StreamRequest, server: socket.socket) -> Refusal | None:
        refusal = self.gateway.open(request, server)
        if refusal is None:
            server.close()
        return refusal

    def _new_token(self) -> str:
        self.tokens.append(f"t{len(self.tokens) + 1}")
        return self.tokens[-1]
