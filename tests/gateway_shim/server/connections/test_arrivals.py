"""Connections that ask for a stream are queued behind all others, and none is lost."""

from __future__ import annotations

import _socket
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from gateway_shim.server.connections.arrivals import STREAMS_IN_A_ROUND, Arrivals
from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import wait_until

STREAM = b"GET /stream?request_id=x HTTP/1.1\r\nHost: a\r\n\r\n"


class Door:
    """An Arrivals queue that records which connections it admits.

    Attributes:
        admitted: the addresses that got a handler, in order.
        is_open: whether there is one.
        room: how many may wait.
        opened: the addresses whose streams were opened without a handler, in order.
        opens: whether streams are opened without a handler.
    """

    def __init__(self) -> None:
        self.admitted: list[Any] = []
        self.is_open = True
        self.room = 100
        self.opened: list[Any] = []
        self.opens = False
        self.arrivals = Arrivals(self._is_stream, lambda: self.room, self._admit, self._open)
        self._sockets: list[Any] = []

    def _is_stream(self, method: str, target: str) -> bool:
        return method == "GET" and target.startswith("/stream")

    def _admit(self, sock: _socket.socket, address: Any) -> bool:
        if self.is_open:
            self.admitted.append(address)
            sock.close()
        return self.is_open

    def _open(self, sock: _socket.socket, address: Any) -> bool:
        if self.opens:
            self.opened.append(address)
            sock.close()
        return self.opens

    def come(self, numbers: Iterable[int], data: bytes = STREAM) -> list[bool]:
        """Connect clients in one round of the loop; return which of them wait."""
        pairs = []
        for _ in numbers:
            client, server = tcp_pair()
            client.sendall(data)
            plain = _socket.socket(server.family, server.type, 0, server.detach())
            self._sockets += [client, plain]
            pairs.append(plain)
        return [
            self.arrivals.take(plain, number) for number, plain in zip(numbers, pairs, strict=True)
        ]

    def hang_up(self, number: int) -> None:
        """Close one client's connection."""
        self._sockets[2 * number].close()

    def close(self) -> None:
        """Close all open sockets."""
        self.arrivals.close()
        for each in self._sockets:
            each.close()


@pytest.fixture
def door() -> Iterator[Door]:
    """Provide a queue without waiting connections."""
    door = Door()
    with HubErrors():
        yield door
    door.close()


def test_a_few_in_each_round(door: Door) -> None:
    """The first few streams are served at once; the others follow in order."""
    waits = door.come(range(3 * STREAMS_IN_A_ROUND))
    assert waits == [False] * STREAMS_IN_A_ROUND + [True] * 2 * STREAMS_IN_A_ROUND
    assert len(door.arrivals) == 2 * STREAMS_IN_A_ROUND
    door.arrivals._begin_round()
    assert len(door.admitted) == STREAMS_IN_A_ROUND
    wait_until(lambda: not len(door.arrivals), "all to be admitted")
    assert door.admitted == list(range(STREAMS_IN_A_ROUND, 3 * STREAMS_IN_A_ROUND))
    wait_until(lambda: door.arrivals._timer is None, "the timer to end")
    assert door.come([100]) == [False]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /stream HTTP/1.1\r\n\r\n",
        b"GET /strea",
        b"GET",
        b"\xff \xff \xff",
        b" ",
        b"GET " + b"/stream" * 3000,
    ],
)
def test_others_are_served_at_once(door: Door, data: bytes) -> None:
    """A request for something else, or an incomplete head, is not queued."""
    door.is_open = False
    door.come(range(2 * STREAMS_IN_A_ROUND))
    assert door.come([100], data) == [False]


def test_no_room(door: Door) -> None:
    """A connection that cannot wait is served at once."""
    door.room = 1
    waits = door.come(range(STREAMS_IN_A_ROUND + 3))
    assert waits == [False] * STREAMS_IN_A_ROUND + [True, False, False]


def test_no_handler(door: Door) -> None:
    """Connections keep waiting, in order, until a handler is free."""
    door.is_open = False
    door.come(range(STREAMS_IN_A_ROUND + 3))
    door.arrivals._begin_round()
    assert len(door.arrivals) == 3
    door.is_open = True
    wait_until(lambda: not len(door.arrivals), "all to be admitted")
    assert door.admitted == [STREAMS_IN_A_ROUND + number for number in range(3)]


def test_who_has_left_gets_no_handler(door: Door) -> None:
    """A client that has left while it waited gets no handler."""
    door.come(range(STREAMS_IN_A_ROUND + 3))
    door.hang_up(STREAMS_IN_A_ROUND + 1)
    wait_until(lambda: not len(door.arrivals), "all to be admitted")
    assert door.admitted == [STREAMS_IN_A_ROUND, STREAMS_IN_A_ROUND + 2]


def test_streams_without_a_handler(door: Door) -> None:
    """Streams that open without a handler count in each round, too, and are served in order."""
    door.opens = True
    assert door.come(range(3 * STREAMS_IN_A_ROUND)) == [True] * 3 * STREAMS_IN_A_ROUND
    assert door.opened == list(range(STREAMS_IN_A_ROUND))
    door.arrivals._begin_round()
    assert door.opened == list(range(2 * STREAMS_IN_A_ROUND))
    door.opens = False
    wait_until(lambda: not len(door.arrivals), "the others to be admitted")
    assert door.admitted == list(range(2 * STREAMS_IN_A_ROUND, 3 * STREAMS_IN_A_ROUND))


@pytest.mark.parametrize("is_open", [True, False])
def test_close(door: Door, is_open: bool) -> None:
    """The remaining connections get handlers before the server ends."""
    door.come(range(STREAMS_IN_A_ROUND + 3))
    door.is_open = is_open
    door.arrivals.close()
    assert len(door.admitted) == 3 * is_open
    assert len(door.arrivals) == 0
