"""Idle connections: their number, their time, their turns, and their end."""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import socket
from collections.abc import Iterator

import gevent
import pytest
from gunicorn.http.unreader import SocketUnreader

from gateway_shim.server.connections import keep_alive
from gateway_shim.server.connections.keep_alive import GRACE_SECONDS, HeadTimeout
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from tests.gateway_shim.server.connections.idle_connection import Idle, kept_for
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import TIME_LIMIT, wait_until


@pytest.fixture
def connections() -> Iterator[list[Idle]]:
    """Provide a list of connections that are closed at the end of the test."""
    with contextlib.ExitStack() as stack:
        made: list[Idle] = []
        stack.callback(lambda: [idle.close() for idle in made])
        yield made


def test_next_request(connections: list[Idle]) -> None:
    """The next request ends the wait, and the parser gets its bytes."""
    kept = kept_for()
    idle = Idle(kept)
    connections.append(idle)
    assert not idle.handler.ready()
    idle.client.sendall(b"GET / HTTP/1.1\r\n")
    assert idle.outcome() is True
    assert idle.unreader.read() == b"GET / HTTP/1.1\r\n"
    assert len(kept._connections) == 0


def test_request_that_was_read_already(connections: list[Idle]) -> None:
    """Bytes that arrived together with the previous request are used at once."""
    kept = kept_for()
    client, server = tcp_pair()
    unreader = SocketUnreader(server)
    unreader.unread(b"GET /second")
    assert kept.wait(unreader, server) is True
    assert unreader.read() == b"GET /second"
    client.close()
    server.close()


def test_an_empty_line_is_no_request(connections: list[Idle]) -> None:
    """Empty lines after a body do not end the wait."""
    kept = kept_for()
    idle = Idle(kept)
    connections.append(idle)
    idle.client.sendall(b"\r\n")
    wait_until(lambda: not _readable(idle.server), "the empty line to be taken")
    assert not idle.handler.ready()
    assert len(kept._connections._lines[0].idle) == 1
    idle.client.sendall(b"\r\nGET")
    assert idle.outcome() is True
    assert idle.unreader.read() == b"GET"


def _readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


def test_the_client_learns_of_the_end_at_once(connections: list[Idle]) -> None:
    """A closed idle connection is shut down at once, before its handler runs."""
    kept = kept_for()
    idle = Idle(kept)
    connections.append(idle)
    kept.close()
    assert not idle.handler.ready()
    plain = _socket.socket(fileno=os.dup(idle.client.fileno()))  # gevent's would wait
    try:
        assert plain.recv(1, socket.MSG_DONTWAIT) == b""
    finally:
        plain.close()
    assert idle.outcome() is False


def test_client_hangs_up(connections: list[Idle]) -> None:
    """A client that leaves ends the connection."""
    idle = Idle(kept_for())
    connections.append(idle)
    idle.client.close()
    assert idle.outcome() is False


def test_client_resets(connections: list[Idle]) -> None:
    """A broken connection raises an exception to the caller."""
    idle = Idle(kept_for())
    connections.append(idle)
    idle.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    idle.client.close()
    with pytest.raises(ConnectionResetError):
        idle.outcome()


def test_idle_too_long(connections: list[Idle]) -> None:
    """The connection is closed after the idle time."""
    kept = kept_for(seconds=0.01 - GRACE_SECONDS)
    idle = Idle(kept)
    connections.append(idle)
    assert idle.outcome() is False
    assert len(kept._connections) == 0


def test_idle_a_little_longer_than_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was sent in time may arrive one second later."""
    allowed: list[float] = []
    start_new = gevent.Timeout.start_new

    def started(seconds: float) -> gevent.Timeout:
        allowed.append(seconds)
        return start_new(seconds)

    client, server = tcp_pair()
    client.close()
    monkeypatch.setattr(gevent.Timeout, "start_new", started)
    assert kept_for(seconds=5).wait(SocketUnreader(server), server) is False
    assert allowed == [6]
    server.close()


def test_request_in_the_last_moment(
    connections: list[Idle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that arrives as the time ends is served."""

    def busy(descriptor: int) -> None:
        # The loop was busy: when the handler runs again, both have happened.
        client.sendall(b"GET")
        gevent.sleep(TIME_LIMIT)

    client, server = tcp_pair()
    unreader = SocketUnreader(server)
    monkeypatch.setattr(keep_alive, "wait_read", busy)
    assert kept_for(seconds=0.01 - GRACE_SECONDS).wait(unreader, server) is True
    assert unreader.read() == b"GET"
    assert server.gettimeout() is None
    client.close()
    server.close()


def test_another_time_limit_is_not_ours() -> None:
    """A time limit of the caller is raised to the caller."""
    client, server = tcp_pair()
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.01):
        kept_for().wait(SocketUnreader(server), server)
    client.close()
    server.close()


def test_close(connections: list[Idle]) -> None:
    """At the end, all idle connections are closed, and no connection becomes idle."""
    kept = kept_for()
    connections += [Idle(kept) for _ in range(3)]
    connections[1].client.sendall(b"GET")
    kept.close()
    assert [idle.outcome() for idle in connections] == [False, True, False]
    connections.append(Idle(kept))
    assert connections[-1].outcome() is False


def test_the_end_of_a_connection_with_unread_requests() -> None:
    """The client reads every answer, although it has sent more requests than were read."""
    client, server = tcp_pair()
    client.sendall(b"x" * 1000)
    server.sendall(b"the last answer")
    ended = gevent.spawn(kept_for().end, server)
    assert client.recv(100) == b"the last answer"
    assert client.recv(100) == b""
    client.close()
    ended.get(timeout=TIME_LIMIT)


def test_the_last_requests_are_waited_for(connections: list[Idle]) -> None:
    """finish() waits for working connections, and briefly for a head that may be on its way."""
    kept = kept_for()
    counted = kept._connections
    client, server = tcp_pair()
    steps: list[str] = []

    def serve() -> None:
        counted.enter(counted._lines[0], server.fileno(), "")
        server.recv(1)
        counted.work()
        steps.append("works")
        server.recv(1)
        steps.append("is over")
        counted.leave()

    with contextlib.closing(client), contextlib.closing(server):
        handler = gevent.spawn(serve)
        wait_until(lambda: handler in counted, "the handler to wait")
        finishing = gevent.spawn(kept.finish)
        gevent.sleep(0)
        client.sendall(b"x")
        wait_until(lambda: steps == ["works"], "the head to be read")
        client.sendall(b"x")
        finishing.join(TIME_LIMIT)
        assert steps == ["works", "is over"]


def test_who_sends_no_head_is_not_waited_for(
    connections: list[Idle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """finish() does not wait long for a connection without a request."""
    monkeypatch.setattr(keep_alive, "_LAST_REQUESTS_SECONDS", TIME_LIMIT)
    idle = Idle(kept_for())
    connections.append(idle)
    idle._kept.finish()
    assert not idle.handler.ready()


def test_the_limit_of_a_head_is_that_of_node() -> None:
    """The time limit for a head does not depend on the idle time."""
    assert keep_alive.HEAD_SECONDS == 5.0


def test_a_slow_head_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow head ends the block without an exception; only slow heads are counted."""
    monkeypatch.setattr(keep_alive, "HEAD_SECONDS", 0.01)
    counts = RefusalCounts()
    with HeadTimeout(counts):
        gevent.sleep(TIME_LIMIT)
    assert counts.by_reason[RefusalReason.SLOW_HEAD] == 1
    with HeadTimeout(counts):
        pass
    with pytest.raises(StopIteration), HeadTimeout(counts):
        raise StopIteration
    assert counts.by_reason[RefusalReason.SLOW_HEAD] == 1


def test_others_run_between_two_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has sent a thousand requests at once does not delay others."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)  # used up by now
    kept = kept_for()
    client, server = tcp_pair()
    unreader = SocketUnreader(server)
    ran = []
    unreader.unread(b"GET")
    gevent.spawn(ran.append, 1)
    assert kept.wait(unreader, server) is True
    assert ran == [1]
    client.close()
    server.close()


def test_a_later_connection_does_not_overtake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gives up waiting for an answer sends its next request on a new connection."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)  # used up by now
    order: list[str] = []
    idle = Idle(kept_for(), lambda: order.append("kept"))
    client, listener = tcp_pair()
    accepting = gevent.get_hub().loop.io(listener.fileno(), 1)  # as a server accepts
    accepting.start(lambda: (accepting.stop(), gevent.spawn(order.append, "new")))
    idle.client.sendall(b"GET")
    client.sendall(b"GET")
    wait_until(lambda: len(order) == 2, "both handlers")
    assert order == ["kept", "new"]
    accepting.close()
    idle.close()
    client.close()
    listener.close()
