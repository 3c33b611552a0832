"""A connection whose socket is taken over, and the writes to it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent
import pytest

from gateway_shim.errors import ClientGone, OutboxFull
from gateway_shim.protocol.event_stream import BodyFraming, frame
from gateway_shim.streams.connection import Connection
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.sockets import fill, tcp_pair
from tests.gateway_shim.watched_connection import WatchedConnection

BIG = b"x" * 300_000

Maker = Callable[..., WatchedConnection]


# ------------------------------------------------------------------------- taking over


def test_take_over(borrowed: WatchedConnection) -> None:
    """The stream keeps the descriptor; the server's object is closed without closing it."""
    borrowed.take_over()
    assert borrowed.server.fileno() == -1
    borrowed.server.close()
    borrowed.connection.write(b"x")
    assert borrowed.client.socket.recv(10) == b"x"
    borrowed.connection.abort()
    assert borrowed.is_over()
    borrowed.connection.abort()


@pytest.mark.parametrize("reset", [False, True])
def test_client_leaves(make_connection: Maker, reset: bool) -> None:
    """The owner is told of the client's end once, and the descriptor is closed."""
    watched = make_connection(tcp_pair())
    watched.take_over()
    watched.client.reset() if reset else watched.client.close()
    soon(lambda: watched.owner.told, "the owner to be told")
    gevent.sleep(0.01)
    assert watched.owner.told == ["gone"]
    assert watched.is_over()


def test_a_wake_up_without_bytes(taken: WatchedConnection) -> None:
    """A wake-up to read or to write that comes for nothing changes nothing."""
    taken.connection._on_readable()
    taken.connection._on_writable()
    assert taken.owner.told == []
    assert taken.connection._reader.active


def test_client_bytes_are_dropped(taken: WatchedConnection) -> None:
    """The bytes that a client sends to a stream are dropped, and are not an end."""
    fill(taken.client.socket)
    soon(lambda: not _readable(taken.connection), "the bytes to be read")
    assert taken.owner.told == []


def _readable(connection: Connection) -> bool:
    try:
        return bool(connection._sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


# ------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("framing", "expected"), [(BodyFraming.CHUNKED, b"1\r\na\r\n"), (BodyFraming.BARE, b"a")]
)
def test_send(make_connection: Maker, framing: BodyFraming, expected: bytes) -> None:
    """A frame is written in the form of the stream's body."""
    watched = make_connection(framing=framing)
    watched.take_over()
    watched.connection.send(frame(b"a"))
    assert watched.client.socket.recv(100) == expected
    assert watched.connection.buffered == 0


def test_outbox_keeps_the_order(taken: WatchedConnection) -> None:
    """Bytes that the kernel does not take wait, and later writes wait behind them."""
    taken.connection.write(BIG)
    waiting = taken.connection.buffered
    assert 0 < waiting < len(BIG)
    taken.connection.write(b"last")
    assert taken.connection.buffered == waiting + 4
    assert taken.receive_all(b"last") == BIG + b"last"
    soon(lambda: taken.connection.buffered == 0, "the outbox to be empty")
    taken.connection.write(b"direct")
    assert taken.connection.buffered == 0
    assert taken.connection._writer is None


@pytest.mark.parametrize("framing", BodyFraming)
def test_direct(make_connection: Maker, framing: BodyFraming) -> None:
    """The shortcut is there while the stream is open, its body is chunked, and nothing waits."""
    watched = make_connection(framing=framing)
    connection = watched.connection
    seen = [connection.direct]
    watched.take_over()
    seen.append(connection.direct)
    connection.open(b"head")
    seen.append(connection.direct)
    connection.write(BIG)
    seen.append(connection.direct)
    received = b""
    while len(received) < len(b"head" + BIG):
        received += watched.receive()
    soon(lambda: connection.buffered == 0, "the outbox to be empty")
    seen.append(connection.direct)
    watched.finish(b"")
    seen.append(connection.direct)
    expected = connection._sock if framing is BodyFraming.CHUNKED else None
    assert seen == [None, None, expected, None, expected, None]


def test_direct_after_a_head_that_waits(taken: WatchedConnection) -> None:
    """A stream whose first bytes wait has its shortcut when they are written."""
    fill(taken.connection._sock)
    taken.connection.open(b"head")
    assert taken.connection.direct is None
    taken.receive_all(b"head")
    soon(lambda: taken.connection.direct, "the shortcut")


def test_direct_after_an_abort(taken: WatchedConnection) -> None:
    """No write can reach a descriptor that may be another stream's."""
    taken.connection.open(b"head")
    taken.connection.abort()
    assert taken.connection.direct is None


def test_the_kernel_takes_nothing(taken: WatchedConnection) -> None:
    """A write of which the kernel takes no byte waits whole."""
    fill(taken.connection._sock)
    taken.connection.write(b"123")
    assert taken.connection.buffered == 3


def test_outbox_full(make_connection: Maker) -> None:
    """A write above the limit is refused, whether it is the first that must wait or a later one."""
    watched = make_connection(limit=10)
    watched.take_over()
    with pytest.raises(OutboxFull):
        watched.connection.write(BIG)
    fill(watched.connection._sock)
    watched.connection.write(b"12345")
    with pytest.raises(OutboxFull):
        watched.connection.write(b"123456")
    assert watched.connection.buffered == 5
    assert watched.owner.told == []


def test_write_to_a_client_that_has_left(taken: WatchedConnection) -> None:
    """A write that the kernel refuses raises ClientGone, with the cause."""
    taken.client.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ClientGone) as caught:
        taken.connection.write(b"x")
    assert isinstance(caught.value.__cause__, BrokenPipeError)


def test_write_after_abort(taken: WatchedConnection) -> None:
    """A released connection takes no bytes, and touches no other descriptor."""
    taken.connection.abort()
    with pytest.raises(ClientGone):
        taken.connection.write(b"x")


def test_waiting_bytes_fail(taken: WatchedConnection) -> None:
    """The owner is told once if waiting bytes cannot be written."""
    taken.connection.write(BIG)
    taken.client.socket.shutdown(socket.SHUT_RD)
    taken.client.socket.recv(200_000)
    soon(lambda: taken.owner.told, "the owner to be told")
    gevent.sleep(0.01)
    assert taken.owner.told == ["failed"]


def test_writable_too_early(taken: WatchedConnection) -> None:
    """A wake-up to write that comes too early changes nothing."""
    taken.connection.write(BIG)
    waiting = taken.connection.buffered
    taken.connection._on_writable()
    assert taken.connection.buffered == waiting
    assert taken.owner.told == []
