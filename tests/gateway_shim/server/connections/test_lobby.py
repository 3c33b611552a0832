"""Connections that wait for their head before they get a handler."""

from __future__ import annotations

import _socket
import socket
import struct
from typing import Any

import pytest

from gateway_shim.server.connections import lobby
from gateway_shim.server.connections.lobby import Lobby, has_begun, has_left
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from tests.gateway_shim.fakes import FakeClock
from tests.gateway_shim.server.connections.conftest import Pair
from tests.support.timing import wait_until

HELLO = b"\x16\x03\x01\x00\x05hello"


@pytest.mark.parametrize(
    ("sent", "tls", "begun"),
    [
        (b"", False, False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", False, False),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", False, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nmore", False, True),
        (b"x" * 30_000, False, True),
        (b"", True, False),
        (HELLO[:1], True, False),
        (HELLO[:4], True, False),
        (HELLO[:-1], True, False),
        (HELLO, True, True),
        (HELLO + b"more", True, True),
        (b"GET", True, True),
        (b"\0", True, True),
    ],
)
def test_has_begun(pairs: list[Pair], sent: bytes, tls: bool, begun: bool) -> None:
    """A complete head, a complete first record, and bytes that can be neither count as begun."""
    if sent:
        pairs[0].client.send(sent)
    for _ in range(2):
        assert has_begun(pairs[0].server, tls=tls) is begun


def test_a_client_that_is_gone_has_begun(pairs: list[Pair]) -> None:
    """A broken connection counts as begun: its handler ends it."""
    pairs[0].client.close()
    assert has_begun(pairs[0].server, tls=False)
    pairs[1].server.close()
    assert has_begun(pairs[1].server, tls=False)


class Door:
    """A lobby that records which connections it admits.

    Attributes:
        open: whether there is a handler for anybody.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.clock = FakeClock()
        self.refusals = RefusalCounts()
        self.admitted: list[Any] = []
        self.open = True
        self.lobby = Lobby(
            lambda: self.size,
            5.0,
            lambda sock: has_begun(sock, tls=False),
            self._admit,
            self.refusals,
            self.clock,
        )

    def _admit(self, sock: _socket.socket, address: Any) -> bool:
        if self.open:
            self.admitted.append(address)
        return self.open

    def refused(self) -> dict[str, int]:
        """Return the number of refusals by reason."""
        return {reason: count for reason, count in self.refusals.by_reason.items() if count}


def test_a_head_comes(pairs: list[Pair]) -> None:
    """A connection gets a handler as soon as its head has arrived; the others wait."""
    door = Door(10)
    for number, pair in enumerate(pairs):
        door.lobby.add(pair.server, number)
    pairs[2].client.send(b"GET / HTTP/1.1\r\n\r\n")
    wait_until(lambda: door.admitted, "one to be let in")
    assert (door.admitted, len(door.lobby)) == ([2], 3)
    door.lobby.close()
    assert len(door.lobby) == 0
    assert door.refused() == {}


def test_too_many(pairs: list[Pair]) -> None:
    """If the lobby is full, the oldest connection is closed."""
    door = Door(3)
    for pair in pairs:
        door.lobby.add(pair.server, None)
    assert [pair.server.fileno() < 0 for pair in pairs] == [True, False, False, False]
    assert door.refused() == {RefusalReason.CONNECTIONS: 1}
    door.lobby.close()
    assert [pair.server.fileno() < 0 for pair in pairs] == [True] * 4


def test_less_room(pairs: list[Pair]) -> None:
    """The lobby has fewer places while handlers have more connections."""
    door = Door(4)
    for pair in pairs:
        door.lobby.add(pair.server, None)
    door.size = 1
    door.lobby.make_room()
    assert [pair.server.fileno() < 0 for pair in pairs] == [True, True, True, False]
    door.size = 0
    door.lobby.add(_socket.socket(), None)
    assert len(door.lobby) == 0


def test_who_has_just_come_is_looked_at_more_often(
    pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If many connections wait, only the newest are checked each time."""
    monkeypatch.setattr(lobby, "_PAUSE_FOR_EACH", 1.0)
    door = Door(10)
    for number, pair in enumerate(pairs[:3]):
        door.lobby.add(pair.server, number)
    door.lobby.look()  # at all
    door.clock.now += 0.1
    door.lobby.add(pairs[3].server, 3)
    for pair in pairs:
        pair.client.send(b"GET / HTTP/1.1\r\n\r\n")
    door.lobby.look()
    assert door.admitted == [3]
    door.clock.now += 3
    door.lobby.look()
    assert door.admitted == [3, 0, 1, 2]


def test_too_long(pairs: list[Pair]) -> None:
    """A connection is closed after its time; one whose head has arrived is admitted."""
    door = Door(10)
    for pair in pairs[:2]:
        door.lobby.add(pair.server, None)
    door.clock.now += 5
    pairs[1].client.send(b"GET / HTTP/1.1\r\n\r\n")
    door.lobby.look()
    assert (len(door.admitted), len(door.lobby)) == (1, 0)
    assert pairs[0].server.fileno() < 0
    assert door.refused() == {RefusalReason.SLOW_HEAD: 1}
    assert door.lobby._timer is None


def test_no_handler_is_free(pairs: list[Pair]) -> None:
    """A connection with a complete head waits until a handler is free."""
    door = Door(10)
    door.open = False
    pairs[0].client.send(b"GET / HTTP/1.1\r\n\r\n")
    door.lobby.add(pairs[0].server, "a")
    door.lobby.look()
    assert (door.admitted, len(door.lobby)) == ([], 1)
    door.open = True
    door.lobby.look()
    assert (door.admitted, len(door.lobby)) == (["a"], 0)


def test_the_client_of_a_closed_one_is_told(pairs: list[Pair]) -> None:
    """The client of a closed connection sees the end at once."""
    door = Door(1)
    for pair in pairs[:2]:
        door.lobby.add(pair.server, None)
    assert pairs[0].client.recv(1, socket.MSG_DONTWAIT) == b""
    door.lobby.close()


def test_who_has_left(pairs: list[Pair]) -> None:
    """has_left() detects a client that hung up, but not one with an unread request."""
    quiet, asking, gone, _ = pairs
    asking.client.send(b"GET / HTTP/1.1\r\n\r\n")
    asking.client.shutdown(socket.SHUT_WR)
    gone.client.close()
    assert [has_left(pair.server) for pair in (quiet, asking, gone)] == [False, False, True]
    assert asking.server.recv(100) == b"GET / HTTP/1.1\r\n\r\n"


def test_who_was_reset() -> None:
    """has_left() detects a reset after unread bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        server, _ = listener.accept()
        with server:
            assert has_left(server._sock)
