"""The number of connections, and which of them are closed to make room."""

from __future__ import annotations

import socket

import gevent
from gevent.pool import Pool

from gateway_shim.streams.refusal_counts import RefusalReason
from tests.gateway_shim.server.connections.worker_connections import (
    PER_ADDRESS,
    WorkerConnections,
    opened,
)
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import TIME_LIMIT, wait_until


def test_the_longest_waiting_makes_room(worker: WorkerConnections) -> None:
    """A tenth of the handlers stays free: the connection that has waited longest is closed."""
    line, other = worker.line(20), worker.line(20)
    visits = [worker.visit(line) for _ in range(20)]
    worker.visit(other)
    assert opened(visits) == [False] * 2 + [True] * 18
    assert all(visit.came_in for visit in worker.visits)
    assert worker.refused() == 2
    assert len(worker.connections) == 19


def test_who_works_is_not_closed(worker: WorkerConnections) -> None:
    """A working connection is not closed, nor one with unread bytes."""
    line = worker.line(10)
    visits = [worker.visit(line) for _ in range(9)]
    visits[0].begin()
    visits[1].client.sendall(b"x")
    gevent.sleep(0)  # the bytes are there, and the handler has not run
    visits[1].work.clear()
    visits += [worker.visit(line)]
    assert opened(visits[:2]) == [True, True]
    assert opened(visits).count(False) == 1


def test_all_work(worker: WorkerConnections) -> None:
    """The last free handler accepts one more connection; then none is free."""
    line = worker.line(10)
    visits = [worker.visit(line) for _ in range(9)]
    for visit in visits:
        visit.begin()
    assert worker.visit(line).came_in
    assert line.pool.full()
    assert worker.refused() == 0


def test_more_handlers_than_connections(worker: WorkerConnections) -> None:
    """Over TLS, the handlers of streams do not count against the limit of connections."""
    line = worker.connections.add_line(Pool(100), 10)
    visits = [worker.visit(line) for _ in range(12)]
    assert opened(visits) == [False] * 2 + [True] * 10
    for visit in visits[2:]:
        visit.begin()
    assert worker.visit(line).came_in is False
    assert worker.refused() == 3


def test_per_address(worker: WorkerConnections) -> None:
    """If an address has too many connections, the one that has waited longest is closed."""
    line = worker.line(100)
    other = worker.visit(line, "b")
    visits = [worker.visit(line, "a") for _ in range(4)]
    assert opened([other, *visits]) == [True, False, True, True, True]
    assert worker.refused(RefusalReason.CONNECTIONS_PER_ADDRESS) == 1
    for visit in visits[1:]:
        visit.begin()
    assert worker.visit(line, "a").came_in is False
    assert worker.refused(RefusalReason.CONNECTIONS_PER_ADDRESS) == 2
    assert worker.connections.must_send_head(line, "a")
    assert not worker.connections.must_send_head(line, "b")
    visits[1].done.set()
    visits[1].handler.join(TIME_LIMIT)
    assert worker.visit(line, "a").came_in


def test_who_is_not_counted(worker: WorkerConnections) -> None:
    """Loopback addresses have no limit of their own."""
    line = worker.line(100)
    assert all(worker.visit(line).came_in for _ in range(PER_ADDRESS + 5))
    assert not worker.connections._addresses


def test_half_may_be_idle(worker: WorkerConnections) -> None:
    """If half of the places are idle, the longest idle connection is closed without a refusal."""
    line = worker.line(10)
    visits = [worker.visit(line, idle=True) for _ in range(6)]
    assert opened(visits) == [False] + [True] * 5
    worker.connections.close_idle()
    assert opened(visits) == [False] * 6
    assert len(worker.connections) == 0


def test_an_idle_connection_makes_room_for_others(worker: WorkerConnections) -> None:
    """An idle connection is closed first, and does not count as refused."""
    line = worker.line(10)
    idle = worker.visit(line, idle=True)
    visits = [worker.visit(line) for _ in range(9)]
    assert opened([idle, *visits]) == [False] + [True] * 9
    assert worker.refused() == 0


def test_a_body_that_does_not_come_makes_room(worker: WorkerConnections) -> None:
    """If no connection waits, the one that has received longest is closed."""
    line = worker.line(10)
    visits = [worker.visit(line, body=True) for _ in range(12)]
    gone = len(visits) - 9
    assert opened(visits) == [False] * gone + [True] * 9
    gevent.joinall([visit.handler for visit in visits[:gone]], TIME_LIMIT)
    assert [visit.made_room for visit in visits] == [True] * gone + [False] * 9
    assert worker.refused() == gone


def test_heads_make_room_before_bodies(worker: WorkerConnections) -> None:
    """A waiting connection is closed before a receiving one, also within one address."""
    line = worker.line(10)
    body = worker.visit(line, "a", body=True)
    heads = [worker.visit(line, "a") for _ in range(PER_ADDRESS)]
    assert opened([body, *heads]) == [True, False, True, True]
    for head in heads[1:]:
        head.begin()
    assert worker.visit(line, "a").came_in
    assert not body.is_open


def test_a_body_that_has_come_makes_no_room(worker: WorkerConnections) -> None:
    """A connection whose request is being answered is not closed."""
    line = worker.line(10)
    visits = [worker.visit(line, body=True) for _ in range(8)]
    assert worker.connections.working == 8
    for visit in visits:
        visit.client.sendall(b"x")
    wait_until(lambda: not line.receiving, "the bodies to be read")
    heads = [worker.visit(line) for _ in range(2)]
    assert all(opened(visits))
    assert opened(heads) == [False, True]
    assert worker.connections.working == 8


def test_many(worker: WorkerConnections) -> None:
    """From a quarter of the places on, a new connection must send its head first."""
    line = worker.line(8)
    worker.visit(line)
    assert not worker.connections.must_send_head(line, "a")
    worker.visit(line)
    assert worker.connections.must_send_head(line, "a")


def test_close_longest_of_all(worker: WorkerConnections) -> None:
    """close_longest() closes one waiting connection of any listener."""
    worker.line(10)
    line = worker.line(10)
    assert not worker.connections.close_longest()
    visit = worker.visit(line)
    assert worker.connections.close_longest()
    assert not visit.is_open


def test_leave_and_resume(worker: WorkerConnections) -> None:
    """A stream does not count, until it is refused."""
    line = worker.line(10)
    handler = gevent.getcurrent()
    client, server = tcp_pair()
    assert worker.connections.enter(line, server.fileno(), "a")
    place = worker.connections.leave()
    assert place is not None
    assert (handler in worker.connections, line.count) == (False, 0)
    assert worker.connections.leave() is None
    worker.connections.work()
    worker.connections.wait()
    worker.connections.wait_idle()
    assert line.waiting == {}
    worker.connections.resume(place)
    assert (handler in worker.connections, line.count) == (True, 1)
    assert line.waiting == {}
    worker.connections.leave()
    client.close()
    server.close()


def test_a_broken_connection_is_not_looked_at_twice(worker: WorkerConnections) -> None:
    """A broken connection is skipped; the next one makes room."""
    line = worker.line(10)
    visits = [worker.visit(line) for _ in range(9)]
    visits[0].client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    visits[0].client.close()
    visits.append(worker.visit(line))
    assert visits[2].is_open


def test_crowded(worker: WorkerConnections) -> None:
    """Each listener has its own reserve of free places."""
    other, line = worker.line(20), worker.line(20)
    crowded = [worker.visit(line).is_crowded for _ in range(19)]
    assert crowded == [False] * 18 + [True]
    assert not worker.visit(other).is_crowded
    assert not worker.connections.is_crowded  # there is no handler that asks
