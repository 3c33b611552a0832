"""Streams of ordinary requests open without a handler; everything else gets one."""

from __future__ import annotations

import _socket
import contextvars
import logging
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.pool import Pool
from gunicorn.config import Config

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.server.connections.refused_socket import refusal_of
from gateway_shim.server.connections.stream_openings import StreamOpenings, may_open
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.server.requests.parsed_request import settings
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import TIME_LIMIT, wait_until

REQUEST = b"GET /stream?n=%d HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
PEER = ("127.0.0.1", 4711)

user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


class Entrance:
    """A gateway whose streams open from plain sockets.

    Attributes:
        handled: the refusals that got a handler, with what it has read from each socket.
    """

    def __init__(self, handlers: int = 10) -> None:
        self.backend = FakeBackend()
        self.gateway = Gateway(self.backend, GatewayConfig())
        self.pool = Pool(handlers)
        self.openings = StreamOpenings(self.gateway, "127.0.0.1", self.pool)
        self.handled: list[tuple[Any, bytes]] = []
        self.clients: list[socket.socket] = []
        self.servers: list[_socket.socket] = []

    def come(self, *heads: bytes) -> list[bool]:
        """Connect clients that have sent some bytes; return which of their streams are opened."""
        for data in heads:
            client, server = tcp_pair()
            client.settimeout(TIME_LIMIT)
            client.sendall(data)
            plain = _socket.socket(server.family, server.type, 0, server.detach())
            self.clients.append(client)
            self.servers.append(plain)
        # No other greenlet runs between these, as in the hub.
        come = self.servers[-len(heads) :]
        return [self.openings.take(plain, PEER, self._handle) for plain in come]

    def _handle(self, sock: Any, address: Any) -> None:
        assert address == PEER
        self.handled.append((refusal_of(sock), sock.recv(1000)))
        sock.sendall(b"refused")

    def close(self) -> None:
        """Close all open sockets."""
        for each in (*self.clients, *self.servers):
            each.close()

    @property
    def urls(self) -> list[str]:
        """The URLs that the backend was asked about."""
        return [call["request"]["url"] for call in self.backend.calls if "reason" not in call]


@pytest.fixture
def entrance() -> Iterator[Entrance]:
    """Provide a running gateway."""
    entrance = Entrance()
    entrance.gateway.start()
    with HubErrors():
        yield entrance
    entrance.gateway.stop()
    entrance.close()


def test_opens(entrance: Entrance) -> None:
    """A stream opens; what the client has sent after its request is dropped."""
    assert entrance.come(REQUEST % 1 + b"GET /next HTTP/1.1\r\n\r\n") == [True]
    assert entrance.clients[0].recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    assert entrance.urls == ["/stream?n=1"]
    assert entrance.backend.calls[0]["request"]["headers"]["x-forwarded-for"] == "192.0.2.7"
    (info,) = entrance.gateway.list_streams()
    assert info.address == "127.0.0.1"  # the peer is no trusted proxy
    assert entrance.servers[0].fileno() == -1
    entrance.clients[0].close()
    wait_until(lambda: not entrance.gateway.active, "the end to be noticed")


@pytest.mark.parametrize(
    "data",
    [b"", b"GET /str", b"POST /stream HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"],
)
def test_others_need_a_handler(entrance: Entrance, data: bytes) -> None:
    """A request that is not ordinary is left to a handler, with every byte."""
    assert entrance.come(data) == [False]
    assert not data or entrance.servers[0].recv(1000) == data


def test_broken_connection(entrance: Entrance) -> None:
    """A connection that cannot be read is left to a handler."""
    plain = _socket.socket()
    assert not entrance.openings.take(plain, PEER, entrance._handle)
    plain.close()


def test_no_free_handler() -> None:
    """Streams are not opened while all handlers are busy."""
    entrance = Entrance(handlers=1)
    entrance.pool.spawn(gevent.sleep, TIME_LIMIT)
    assert entrance.come(REQUEST % 1) == [False]
    entrance.pool.kill()
    entrance.close()


def test_a_refusal_is_answered_by_a_handler(entrance: Entrance) -> None:
    """The handler gets the refusal, and can read the connection from its beginning."""
    entrance.backend.answer = CallbackAnswer(403)
    assert entrance.come(REQUEST % 1) == [True]
    assert entrance.clients[0].recv(1000) == b"refused"
    ((refusal, data),) = entrance.handled
    assert refusal.status == 403
    assert data == REQUEST % 1
    assert entrance.clients[0].recv(1000) == b""  # closed when the handler returns
    assert entrance.urls == ["/stream?n=1"]  # asked once


def test_an_error_is_answered_by_a_handler(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the gateway is raised in the handler; the next connect is not affected."""

    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("a mistake")

    monkeypatch.setattr(entrance.gateway, "open", fail)
    assert entrance.come(REQUEST % 1, REQUEST % 2) == [True, True]
    assert entrance.clients[1].recv(1000).startswith(b"HTTP/1.1 200")
    assert entrance.clients[0].recv(1000) == b""
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "a mistake" in str(record.exc_info and record.exc_info[1])


def test_an_error_after_the_connection_was_taken(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error is logged if the stream has the connection already: nothing can be answered."""

    def fail(_: object, sock: _socket.socket) -> None:
        _socket.socket(fileno=sock.detach()).close()
        raise RuntimeError("a mistake")

    monkeypatch.setattr(entrance.gateway, "open", fail)
    assert entrance.come(REQUEST % 1) == [True]
    assert entrance.clients[0].recv(1000) == b""
    assert entrance.handled == []
    assert "a stream failed while it opened" in caplog.text


def test_a_slow_backend_does_not_delay_others(entrance: Entrance) -> None:
    """While one connect waits for the backend, those behind it are opened by other greenlets."""
    release = Signal()
    slow: list[str] = []

    def wait_for_some(token: str) -> None:
        if entrance.urls[-1] in ("/stream?n=0", "/stream?n=2"):
            slow.append(token)
            release.wait(TIME_LIMIT)

    entrance.backend.during = wait_for_some
    assert all(entrance.come(*(REQUEST % number for number in range(5))))
    for number in (1, 3, 4):
        assert entrance.clients[number].recv(1000).startswith(b"HTTP/1.1 200")
    assert len(slow) == 2
    assert len(entrance.pool) == 2  # each waiting connect occupies a handler
    release.set()
    for number in (0, 2):
        assert entrance.clients[number].recv(1000).startswith(b"HTTP/1.1 200")
    wait_until(lambda: not len(entrance.pool), "the handlers to be free")


def test_one_greenlet_opens_many(entrance: Entrance) -> None:
    """Connects share a greenlet, together and in turn, but not their context variables."""
    greenlets, users = [], []

    def look(token: str) -> None:
        greenlets.append(gevent.getcurrent())
        users.append(user.get())
        user.set(token)

    entrance.backend.during = look
    assert all(entrance.come(*(REQUEST % number for number in range(8))))
    wait_until(lambda: entrance.gateway.active == 8, "all streams to open")
    assert entrance.come(REQUEST % 8) == [True]
    wait_until(lambda: entrance.gateway.active == 9, "one more stream to open")
    assert len(set(greenlets)) == 1
    assert users == ["nobody"] * 9
    assert user.get() == "nobody"


def test_the_end(entrance: Entrance) -> None:
    """No greenlet stays, and all streams that were asked for are opened."""
    entrance.come(REQUEST % 1)
    wait_until(lambda: entrance.openings._resting, "a greenlet to stay")
    assert entrance.openings._resting is not None
    greenlet = entrance.openings._resting.greenlet
    assert len(entrance.pool) == 0
    entrance.openings.close()
    assert entrance.come(REQUEST % 2) == [True]
    wait_until(lambda: entrance.gateway.active == 2, "all streams to open")
    wait_until(lambda: not len(entrance.pool) and greenlet.dead, "the greenlets to end")


def test_waits_until_a_handler_is_free() -> None:
    """If a stream waits in the last free handler, the next stream opens when one is free again."""
    entrance = Entrance(handlers=2)
    entrance.gateway.start()
    release = Signal()
    entrance.backend.during = lambda _: entrance.urls[-1] == "/stream?n=1" and release.wait()
    with HubErrors():
        assert entrance.come(REQUEST % 1, REQUEST % 2) == [True, True]
        busy = entrance.pool.spawn(gevent.sleep, TIME_LIMIT)
        wait_until(lambda: entrance.openings._timer is not None, "all handlers to be busy")
        assert entrance.urls == ["/stream?n=1"]
        busy.kill()
        assert entrance.clients[1].recv(1000).startswith(b"HTTP/1.1 200")
        release.set()
        assert entrance.clients[0].recv(1000).startswith(b"HTTP/1.1 200")
        wait_until(lambda: not len(entrance.pool), "the handlers to be free")
        assert entrance.openings._timer is None
        entrance.gateway.stop()
    entrance.close()


def test_killed(entrance: Entrance) -> None:
    """The end of the server closes the connections of connects that have not begun."""
    entrance.backend.during = lambda _: gevent.sleep(TIME_LIMIT)
    entrance.openings._go_on = lambda: None  # type: ignore[method-assign]  # no second greenlet
    assert entrance.come(REQUEST % 1, REQUEST % 2) == [True, True]
    wait_until(lambda: len(entrance.urls) == 1, "the backend to be asked")
    entrance.pool.kill()
    assert [client.recv(1000) for client in entrance.clients] == [b"", b""]
    assert entrance.gateway.active == 0


def test_a_client_that_leaves_while_the_backend_is_asked(entrance: Entrance) -> None:
    """The end of the client is seen at once, because its request was read before."""
    release = Signal()
    entrance.backend.during = lambda _: release.wait(TIME_LIMIT)
    assert entrance.come(REQUEST % 1) == [True]
    wait_until(lambda: entrance.gateway.active == 1, "the backend to be asked")
    entrance.clients[0].close()
    wait_until(lambda: entrance.gateway.active == 0, "the end to be noticed")
    release.set()
    wait_until(lambda: entrance.servers[0].fileno() == -1, "the connection to be closed")


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("proxy_protocol", "auto", False),
        ("http2_cleartext", "both", False),
        ("certfile", "cert.pem", False),
        ("limit_request_fields", 50, False),
        ("limit_request_fields", 0, True),
        ("limit_request_field_size", 1000, False),
        ("limit_request_field_size", 0, True),
        ("keepalive", 5, True),
    ],
)
def test_options_that_need_the_parser(name: str, value: Any, allowed: bool) -> None:
    """With options that change how heads are read, every connection gets a handler."""
    cfg: Config = settings()
    assert may_open(cfg)
    cfg.settings[name].value = value
    assert may_open(cfg) is allowed
