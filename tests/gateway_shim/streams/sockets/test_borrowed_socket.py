"""A borrowed socket: the client's end is noticed, and nothing is read."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest

from gateway_shim.protocol.lifecycle import StreamEvent, StreamState
from gateway_shim.streams.sockets.borrowed_socket import BorrowedSocket
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.sockets import tcp_pair
from tests.gateway_shim.watched_connection import WatchedConnection
from tests.support.timing import wait_until

Maker = Callable[..., WatchedConnection]


def borrowed_socket(watched: WatchedConnection) -> BorrowedSocket:
    """Return the object that watches the borrowed socket."""
    found = watched.connection._borrowed
    assert found is not None
    return found


def wait_until_bytes_are_seen(watched: WatchedConnection) -> None:
    """Wait until the unread bytes have stopped the reading watcher."""
    soon(lambda: not borrowed_socket(watched)._reader.active, "the bytes to be seen")


def test_a_refused_stream_gives_its_socket_back(borrowed: WatchedConnection) -> None:
    """The socket of a refused stream is as it was, with all that the client has sent."""
    borrowed.client.send(b"next request")
    gevent.sleep(0.01)
    borrowed.stream.apply(StreamEvent.REFUSE)
    borrowed.connection.abort()
    borrowed.connection.abort()
    assert borrowed.server.fileno() == borrowed.descriptor
    assert borrowed.server.recv(100) == b"next request"
    borrowed.server.sendall(b"answer")
    assert borrowed.client.socket.recv(100) == b"answer"
    assert borrowed.owner.told == []


@pytest.mark.parametrize("reset", [False, True])
def test_client_leaves(make_connection: Maker, reset: bool) -> None:
    """The client's end is noticed at once, and the descriptor stays the server's."""
    watched = make_connection(tcp_pair())
    watched.client.reset() if reset else watched.client.close()
    soon(lambda: watched.owner.told, "the owner to be told")
    assert watched.owner.told == ["gone"]
    assert watched.is_open()
    assert watched.server.fileno() == watched.descriptor
    assert watched.stream.state is StreamState.RETURNED


@pytest.mark.parametrize("reset", [False, True])
def test_client_leaves_behind_unread_bytes(make_connection: Maker, reset: bool) -> None:
    """The end of a client that has sent something is noticed, and the bytes stay unread."""
    watched = make_connection(tcp_pair())
    watched.client.send(b"x")
    wait_until_bytes_are_seen(watched)
    assert watched.owner.told == []
    watched.client.reset() if reset else watched.client.close()
    wait_until(lambda: watched.owner.told, "the owner to be told")
    assert watched.owner.told == ["gone"]
    assert watched.is_open()
    assert watched.watchers() == []
    if not reset:
        assert watched.server.recv(10) == b"x"


def test_an_open_stream_reads_the_unread_bytes(make_connection: Maker) -> None:
    """After the take-over one watcher reads the bytes, and the end behind them."""
    watched = make_connection(tcp_pair())
    watched.client.send(b"x")
    wait_until_bytes_are_seen(watched)
    watched.take_over()
    assert len(watched.watchers()) == 1


def test_unread_bytes_wake_the_hub_once(borrowed: WatchedConnection) -> None:
    """Unread bytes do not wake the hub again and again; only TCP is asked more than once."""
    borrowed.client.send(b"x")
    wait_until_bytes_are_seen(borrowed)
    borrowed.client.close()
    wait_until(lambda: not borrowed.watchers(), "the kernel to be asked")
    assert borrowed.owner.told == []


def test_client_leaves_unnoticed(borrowed: WatchedConnection) -> None:
    """An end behind unread bytes is noticed after the take-over, at the latest."""
    borrowed.client.send(b"unread")
    gevent.sleep(0.01)
    borrowed.client.close()
    borrowed.take_over()
    soon(lambda: borrowed.owner.told, "the owner to be told")
    assert borrowed.owner.told == ["gone"]


def test_a_wake_up_without_bytes(borrowed: WatchedConnection) -> None:
    """A wake-up without bytes is not an end."""
    borrowed_socket(borrowed)._on_readable()
    assert borrowed.owner.told == []
    assert borrowed_socket(borrowed)._reader.active
