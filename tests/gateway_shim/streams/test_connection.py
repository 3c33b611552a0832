"""A connection, with an owner that only notes what it is told."""

from __future__ import annotations

import gc
import os
import socket
import time
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.libev.corecext import watcher

from gateway_shim.errors import ClientGone
from gateway_shim.protocol.event_stream import frame
from gateway_shim.protocol.lifecycle import OutboxFull, Stream
from gateway_shim.streams import connection as sockets
from gateway_shim.streams.connection import Connection
from tests.gateway_shim.streams.rig import HubErrors, SocketClient, fill, soon, tcp_pair
from tests.support.http.message import Ended
from tests.support.timing import TIME_LIMIT, wait_until

BIG = b"x" * 300_000


class Owner:
    """Notes what it is told, and ends the connection as a gateway would."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def client_gone(self, connection: Connection) -> None:
        """Note it."""
        self.told.append("gone")
        connection.abort()

    def write_failed(self, connection: Connection) -> None:
        """Note it."""
        self.told.append("failed")
        connection.abort()

    def flushed(self, connection: Connection) -> None:
        """Note it."""
        self.told.append("flushed")


class Setup:
    """A connection, both ends of its socket, and its owner."""

    def __init__(
        self,
        pair: tuple[socket.socket, socket.socket] | None = None,
        *,
        chunked: bool = True,
        limit: int = 10**6,
    ) -> None:
        client, self.server = pair or socket.socketpair()
        self.client = SocketClient(client)
        self.owner = Owner()
        self.descriptor = self.server.fileno()
        self.connection = Connection(
            Stream("t", b"", chunked=chunked, limit=limit), self.server, self.owner
        )

    def take_over(self) -> None:
        """Let the connection own the socket."""
        self.connection.take_over(self.server)

    def close(self) -> None:
        """Close everything."""
        self.connection.abort()
        self.client.close()
        self.server.close()

    def is_open(self) -> bool:
        """Whether the server's descriptor is there."""
        try:
            os.fstat(self.descriptor)
        except OSError:
            return False
        return True

    def watchers(self) -> list[object]:
        """What the event loop watches for this connection and no other."""
        return [
            item
            for item in gc.get_objects()
            if isinstance(item, watcher)
            and item.active
            and getattr(item.callback, "__self__", None) is self.connection
        ]


@pytest.fixture
def make() -> Iterator[Callable[..., Setup]]:
    """Makes connections; they are closed afterwards, and nothing escapes into the hub."""
    made: list[Setup] = []

    def make(*args: object, **options: object) -> Setup:
        made.append(Setup(*args, **options))  # type: ignore[arg-type]
        return made[-1]

    with HubErrors():
        yield make
        for setup in made:
            setup.close()


@pytest.fixture
def setup(make: Callable[..., Setup]) -> Setup:
    """A connection whose socket is borrowed."""
    return make()


@pytest.fixture
def taken(setup: Setup) -> Setup:
    """A connection whose socket is taken over."""
    setup.take_over()
    return setup


# ------------------------------------------------------------------------- borrowed


def test_borrowed_socket_stays_the_servers(setup: Setup) -> None:
    """Given back, the socket is as it was, with all that was sent; so it is after an abort."""
    setup.client.send(b"next request")
    gevent.sleep(0.01)
    setup.connection.give_back()
    setup.connection.abort()
    assert setup.server.fileno() == setup.descriptor
    assert setup.server.recv(100) == b"next request"
    setup.server.sendall(b"answer")
    assert setup.client.socket.recv(100) == b"answer"
    assert setup.owner.told == []


@pytest.mark.parametrize("reset", [False, True])
def test_client_gone_while_borrowed(make: Callable[..., Setup], reset: bool) -> None:
    """The client's going is seen at once, and the descriptor left to the server."""
    setup = make(tcp_pair())
    setup.client.reset() if reset else setup.client.close()
    soon(lambda: setup.owner.told, "the owner to be told")
    assert setup.owner.told == ["gone"]
    assert setup.is_open()
    assert setup.server.fileno() == setup.descriptor


@pytest.mark.parametrize("reset", [False, True])
def test_client_gone_behind_unread_bytes(make: Callable[..., Setup], reset: bool) -> None:
    """A client that sent something and left is seen to be gone, and the bytes stay unread."""
    setup = make(tcp_pair())
    setup.client.send(b"x")
    soon(lambda: not setup.connection._reader.active, "the bytes to be seen")
    assert setup.owner.told == []
    setup.client.reset() if reset else setup.client.close()
    wait_until(lambda: setup.owner.told, "the owner to be told")
    assert setup.owner.told == ["gone"]
    assert setup.is_open()
    assert setup.watchers() == []
    if not reset:
        assert setup.server.recv(10) == b"x"


def test_nobody_looks_behind_unread_bytes_of_an_open_stream(make: Callable[..., Setup]) -> None:
    """Taken over, the bytes are read, and the end with them."""
    setup = make(tcp_pair())
    setup.client.send(b"x")
    soon(lambda: not setup.connection._reader.active, "the bytes to be seen")
    setup.take_over()
    assert len(setup.watchers()) == 1


def test_unread_bytes_do_not_spin(setup: Setup) -> None:
    """Bytes that must stay unread wake the hub once; where only TCP can tell, it asks once."""
    setup.client.send(b"x")
    soon(lambda: not setup.connection._reader.active, "the bytes to be seen")
    setup.client.close()
    wait_until(lambda: not setup.watchers(), "the kernel to be asked")
    assert setup.owner.told == []


def test_woken_for_nothing(setup: Setup) -> None:
    """A wake-up without bytes is no end, borrowed or taken over."""
    setup.connection._on_readable_while_borrowed()
    setup.take_over()
    setup.connection._on_readable()
    setup.connection._on_writable()
    assert setup.owner.told == []
    assert setup.connection._reader.active


# ------------------------------------------------------------------------- taken over


def test_take_over(setup: Setup) -> None:
    """The same descriptor goes on; the server's object is closed without closing it."""
    setup.take_over()
    assert setup.server.fileno() == -1
    setup.server.close()
    setup.connection.write(b"x")
    assert setup.client.socket.recv(10) == b"x"
    setup.connection.abort()
    assert not setup.is_open()
    setup.connection.abort()


@pytest.mark.parametrize("reset", [False, True])
def test_client_gone(make: Callable[..., Setup], reset: bool) -> None:
    """The client's going is told once, and the descriptor closed."""
    setup = make(tcp_pair())
    setup.take_over()
    setup.client.reset() if reset else setup.client.close()
    soon(lambda: setup.owner.told, "the owner to be told")
    gevent.sleep(0.01)
    assert setup.owner.told == ["gone"]
    assert not setup.is_open()


def test_client_gone_unseen_while_borrowed(setup: Setup) -> None:
    """An end behind unread bytes is seen once the socket is taken over."""
    setup.client.send(b"unread")
    gevent.sleep(0.01)
    setup.client.close()
    setup.take_over()
    soon(lambda: setup.owner.told, "the owner to be told")
    assert setup.owner.told == ["gone"]


def test_client_bytes_are_dropped(taken: Setup) -> None:
    """What a client sends to a stream goes nowhere, and is no end."""
    fill(taken.client.socket)
    soon(lambda: not _readable(taken.connection), "the bytes to be read")
    assert taken.owner.told == []


def _readable(connection: Connection) -> bool:
    try:
        return bool(connection._sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


# ------------------------------------------------------------------------- writing


@pytest.mark.parametrize(("chunked", "expected"), [(True, b"1\r\na\r\n"), (False, b"a")])
def test_send(make: Callable[..., Setup], chunked: bool, expected: bytes) -> None:
    """A frame is written in the form of the stream's body."""
    setup = make(chunked=chunked)
    setup.take_over()
    setup.connection.send(frame(b"a"))
    assert setup.client.socket.recv(100) == expected
    assert setup.connection.buffered == 0


def test_outbox_keeps_the_order(taken: Setup) -> None:
    """What the kernel does not take waits, and what is written later waits behind it."""
    taken.connection.write(BIG)
    waiting = taken.connection.buffered
    assert 0 < waiting < len(BIG)
    taken.connection.write(b"last")
    assert taken.connection.buffered == waiting + 4
    received = b""
    while not received.endswith(b"last"):
        received += taken.client.receive(_deadline())
    assert received == BIG + b"last"
    soon(lambda: taken.connection.buffered == 0, "the outbox to be empty")
    taken.connection.write(b"direct")
    assert taken.connection.buffered == 0
    assert taken.connection._writer is None


@pytest.mark.parametrize("chunked", [True, False])
def test_direct(make: Callable[..., Setup], chunked: bool) -> None:
    """The direct way is there while the stream is open and nothing waits, for a chunked body."""
    setup = make(chunked=chunked)
    connection = setup.connection
    ways = [connection.direct]
    setup.take_over()
    ways.append(connection.direct)
    connection.open(b"head")
    ways.append(connection.direct)
    connection.write(BIG)
    ways.append(connection.direct)
    received = b""
    while len(received) < len(b"head" + BIG):
        received += setup.client.receive(_deadline())
    soon(lambda: connection.buffered == 0, "the outbox to be empty")
    ways.append(connection.direct)
    connection.finish(b"")
    ways.append(connection.direct)
    way = connection._sock if chunked else None
    assert ways == [None, None, way, None, way, None]


def test_direct_after_a_head_that_waits(taken: Setup) -> None:
    """A stream whose first bytes wait has its direct way when they are gone."""
    fill(taken.connection._sock)
    taken.connection.open(b"head")
    assert taken.connection.direct is None
    received = b""
    while not received.endswith(b"head"):
        received += taken.client.receive(_deadline())
    soon(lambda: taken.connection.direct, "the way to be clear")


def test_direct_after_an_abort(taken: Setup) -> None:
    """Nobody can write to a descriptor that may be another stream's."""
    taken.connection.open(b"head")
    taken.connection.abort()
    assert taken.connection.direct is None


def test_nothing_taken_at_all(taken: Setup) -> None:
    """A write of which the kernel takes nothing waits whole."""
    fill(taken.connection._sock)
    taken.connection.write(b"123")
    assert taken.connection.buffered == 3


def test_outbox_full(make: Callable[..., Setup]) -> None:
    """Beyond the limit a write is refused, the first that must wait as well as a later one."""
    setup = make(limit=10)
    setup.take_over()
    with pytest.raises(OutboxFull):
        setup.connection.write(BIG)
    fill(setup.connection._sock)
    setup.connection.write(b"12345")
    with pytest.raises(OutboxFull):
        setup.connection.write(b"123456")
    assert setup.connection.buffered == 5
    assert setup.owner.told == []


def test_write_to_one_that_is_gone(taken: Setup) -> None:
    """A write that the kernel refuses says so, with the cause."""
    taken.client.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ClientGone) as caught:
        taken.connection.write(b"x")
    assert isinstance(caught.value.__cause__, BrokenPipeError)


def test_write_after_abort(taken: Setup) -> None:
    """A connection that is over takes nothing, and touches no other descriptor."""
    taken.connection.abort()
    with pytest.raises(ClientGone):
        taken.connection.write(b"x")


def test_waiting_bytes_fail(taken: Setup) -> None:
    """If waiting bytes cannot be written, the owner is told, once."""
    taken.connection.write(BIG)
    taken.client.socket.shutdown(socket.SHUT_RD)
    taken.client.socket.recv(200_000)
    soon(lambda: taken.owner.told, "the owner to be told")
    gevent.sleep(0.01)
    assert taken.owner.told == ["failed"]


def test_writable_for_nothing(taken: Setup) -> None:
    """A wake-up to write that comes too early changes nothing."""
    taken.connection.write(BIG)
    waiting = taken.connection.buffered
    taken.connection._on_writable()
    assert taken.connection.buffered == waiting
    assert taken.owner.told == []


# ------------------------------------------------------------------------- ending


def _deadline() -> float:
    return time.monotonic() + TIME_LIMIT


@pytest.mark.parametrize("last", [b"last", b""])
def test_finish(taken: Setup, last: bytes) -> None:
    """The last bytes, then the end; the descriptor is closed when the client has hung up too."""
    taken.connection.write(b"first ")
    taken.connection.finish(last)
    assert taken.owner.told == ["flushed"]
    assert taken.client.receive(_deadline()) == b"first " + last
    assert taken.client.wait_closed() is Ended.EOF
    assert taken.is_open()
    taken.client.close()
    soon(lambda: not taken.is_open(), "the descriptor to be closed")
    assert taken.owner.told == ["flushed"]


def test_finish_with_bytes_waiting(taken: Setup) -> None:
    """The end comes after everything that waits."""
    taken.connection.write(BIG)
    taken.connection.finish(b"last")
    assert taken.owner.told == []
    received = b""
    while data := taken.client.receive(_deadline()):
        received += data
    assert received == BIG + b"last"
    assert taken.owner.told == ["flushed"]


def test_finish_without_more_bytes_waits_too(taken: Setup) -> None:
    """With nothing more to say, an end still comes after what waits."""
    taken.connection.write(BIG)
    taken.connection.finish(b"")
    assert taken.owner.told == []
    while taken.client.receive(_deadline()):
        pass
    assert taken.owner.told == ["flushed"]


def test_finish_cannot_write(taken: Setup) -> None:
    """Last bytes that cannot be written are the caller's to know."""
    taken.client.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ClientGone):
        taken.connection.finish(b"last")
    assert taken.owner.told == []


def test_finish_always_fits(make: Callable[..., Setup]) -> None:
    """They may exceed the limit: a stream that is as full as it may be still ends cleanly."""
    setup = make(limit=3)
    setup.take_over()
    fill(setup.connection._sock)
    setup.connection.write(b"123")
    with pytest.raises(OutboxFull):
        setup.connection.write(b"4")
    setup.connection.finish(b"45")
    assert setup.connection.buffered == 5


def test_finish_after_a_reset(make: Callable[..., Setup]) -> None:
    """An end for a client that has reset the connection is over at once."""
    setup = make(tcp_pair())
    setup.take_over()
    setup.client.reset()
    wait_until(lambda: _was_reset(setup.connection), "the reset to arrive")
    setup.connection.finish(b"")
    assert setup.owner.told == ["flushed"]
    assert not setup.is_open()


def _was_reset(connection: Connection) -> bool:
    # Looked at without a switch to the hub, which would see it first; reading clears the error,
    # but the socket is not connected any more.
    return connection._sock.getsockopt(socket.SOL_TCP, socket.TCP_INFO, 1) == bytes([7])


def test_linger(taken: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not hang up is not waited for for ever."""
    monkeypatch.setattr(sockets, "LINGER_SECONDS", 0.05)
    taken.connection.finish(b"last")
    assert taken.is_open()
    wait_until(lambda: not taken.is_open(), "the descriptor to be closed")
    assert taken.owner.told == ["flushed"]


def test_client_gone_while_lingering(taken: Setup) -> None:
    """What a client still sends after the end is dropped; then its own end is the end."""
    taken.connection.finish(b"last")
    taken.client.send(b"late")
    gevent.sleep(0.01)
    assert taken.is_open()
    taken.client.close()
    soon(lambda: not taken.is_open(), "the descriptor to be closed")
    assert taken.owner.told == ["flushed"]


def test_client_gone_before_the_last_bytes(taken: Setup) -> None:
    """A client that leaves with last bytes waiting is gone, not flushed."""
    taken.connection.write(BIG)
    taken.connection.finish(b"last")
    taken.client.close()
    soon(lambda: taken.owner.told, "the owner to be told")
    assert taken.owner.told[0] in ("gone", "failed")
    assert not taken.is_open()


@pytest.mark.parametrize("when", ["borrowed", "idle", "waiting", "lingering"])
def test_abort_leaves_no_watcher(setup: Setup, when: str) -> None:
    """Whenever a connection is aborted, its watchers are stopped and nothing is told any more."""
    if when != "borrowed":
        setup.take_over()
    if when == "waiting":
        setup.connection.write(BIG)
    if when == "lingering":
        setup.connection.finish(b"")
    setup.owner.told.clear()
    assert setup.watchers()
    setup.connection.abort()
    assert setup.connection.buffered == 0
    assert not setup.watchers()
    setup.client.close()
    gevent.sleep(0.01)
    assert setup.owner.told == []
