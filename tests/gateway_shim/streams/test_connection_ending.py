"""The end of a connection: its last bytes, the time for its client to hang up, and its release."""

from __future__ import annotations

import socket
from collections.abc import Callable

import gevent
import pytest

from gateway_shim.errors import ClientGone, OutboxFull
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.streams import connection as connection_module
from gateway_shim.streams.connection import Connection
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.sockets import fill, tcp_pair
from tests.gateway_shim.watched_connection import WatchedConnection
from tests.support.http.message import Ended
from tests.support.timing import wait_until

BIG = b"x" * 300_000

Maker = Callable[..., WatchedConnection]


@pytest.mark.parametrize("last", [b"last", b""])
def test_finish(taken: WatchedConnection, last: bytes) -> None:
    """After the last bytes our side hangs up; the descriptor is closed when the client does."""
    taken.connection.write(b"first ")
    taken.finish(last)
    assert taken.owner.told == ["flushed"]
    assert taken.receive() == b"first " + last
    assert taken.client.wait_closed() is Ended.EOF
    assert taken.is_open()
    assert taken.stream.state is StreamState.LINGERING
    taken.client.close()
    soon(taken.is_over, "the descriptor to be closed")
    assert taken.owner.told == ["flushed"]


def test_finish_with_bytes_waiting(taken: WatchedConnection) -> None:
    """The end comes after all bytes that wait."""
    taken.connection.write(BIG)
    taken.finish(b"last")
    assert taken.owner.told == []
    assert taken.stream.state is StreamState.CLOSING
    received = b""
    while data := taken.receive():
        received += data
    assert received == BIG + b"last"
    assert taken.owner.told == ["flushed"]


def test_finish_without_last_bytes(taken: WatchedConnection) -> None:
    """An end without last bytes also comes after all bytes that wait."""
    taken.connection.write(BIG)
    taken.finish(b"")
    assert taken.owner.told == []
    while taken.receive():
        pass
    assert taken.owner.told == ["flushed"]


def test_finish_cannot_write(taken: WatchedConnection) -> None:
    """Last bytes that cannot be written raise ClientGone for the caller."""
    taken.client.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ClientGone):
        taken.finish(b"last")
    assert taken.owner.told == []


def test_last_bytes_always_fit(make_connection: Maker) -> None:
    """Last bytes may exceed the limit: a stream with a full outbox still ends cleanly."""
    watched = make_connection(limit=3)
    watched.take_over()
    fill(watched.connection._sock)
    watched.connection.write(b"123")
    with pytest.raises(OutboxFull):
        watched.connection.write(b"4")
    watched.finish(b"45")
    assert watched.connection.buffered == 5


def test_finish_after_a_reset(make_connection: Maker) -> None:
    """The end of a stream whose client has reset the connection releases the socket at once."""
    watched = make_connection(tcp_pair())
    watched.take_over()
    watched.client.reset()
    wait_until(lambda: _was_reset(watched.connection), "the reset to arrive")
    watched.finish(b"")
    assert watched.owner.told == ["flushed"]
    assert watched.is_over()


def _was_reset(connection: Connection) -> bool:
    # No switch to the hub, which would see the reset first. Reading the state clears the error, but
    # the socket is no longer connected.
    return connection._sock.getsockopt(socket.SOL_TCP, socket.TCP_INFO, 1) == bytes([7])


def test_linger(taken: WatchedConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The descriptor is closed after a while even if the client does not hang up."""
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 0.05)
    taken.finish(b"last")
    assert taken.is_open()
    wait_until(taken.is_over, "the descriptor to be closed")
    assert taken.owner.told == ["flushed"]


def test_client_leaves_while_lingering(taken: WatchedConnection) -> None:
    """Bytes that a client sends after the end are dropped; then its end closes the descriptor."""
    taken.finish(b"last")
    taken.client.send(b"late")
    gevent.sleep(0.01)
    assert taken.is_open()
    taken.client.close()
    soon(taken.is_over, "the descriptor to be closed")
    assert taken.owner.told == ["flushed"]


def test_client_leaves_before_the_last_bytes(taken: WatchedConnection) -> None:
    """The owner is told of a client that leaves while last bytes wait."""
    taken.connection.write(BIG)
    taken.finish(b"last")
    taken.client.close()
    soon(lambda: taken.owner.told, "the owner to be told")
    assert taken.owner.told[0] in ("gone", "failed")
    assert taken.is_over()


@pytest.mark.parametrize("when", ["borrowed", "idle", "waiting", "lingering"])
def test_abort_leaves_no_watcher(borrowed: WatchedConnection, when: str) -> None:
    """A released connection has no watcher, and tells its owner nothing more."""
    if when != "borrowed":
        borrowed.take_over()
    if when == "waiting":
        borrowed.connection.write(BIG)
    if when == "lingering":
        borrowed.finish(b"")
    borrowed.owner.told.clear()
    assert borrowed.watchers()
    borrowed.connection.abort()
    assert borrowed.connection.buffered == 0
    assert not borrowed.watchers()
    borrowed.client.close()
    gevent.sleep(0.01)
    assert borrowed.owner.told == []


def test_linger_does_not_reset(running: RunningGateway) -> None:
    """A client that has sent something late still reads the whole answer, and no reset."""
    token, stream = running.open(pair=tcp_pair())
    stream.connection.send(b"late bytes")
    running.gateway.send(token, Event(None, "x" * 100_000), close=True)
    stream.connection.send(b"later bytes")
    assert stream.wait_for_end() is Ended.CLEAN
    assert len(stream.events[0].data) == 100_000
