"""Streams that have ended leave nothing behind."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.libev.corecext import watcher

from gateway_shim.errors import WriteFailed
from gateway_shim.event_loop.turns import let_others_run
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.connection import Connection
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.sockets import tcp_pair
from tests.support.http.message import Ended
from tests.support.timing import wait_until

pytestmark = pytest.mark.slow

ROUNDS = 50


def descriptors() -> int:
    """Return the number of open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def older_objects_do_not_count() -> Iterator[None]:
    """Hide the objects of the test run from the garbage collector, and so from the counts.

    A whole test run has 400,000, and each count would look at all of them.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive() -> tuple[int, ...]:
    """Return the number of watchers, connections and streams of a test.

    Objects are counted, not what the event loop calls active: the loop stops all expired timers
    before it calls the first of them, so its count depends on the order of the calls.
    """
    gc.collect()
    items = gc.get_objects()
    return tuple(
        sum(isinstance(item, kind) for item in items) for kind in (watcher, Connection, Stream)
    )


def census() -> tuple[int, ...]:
    """Return the numbers of descriptors, watchers, connections and streams."""
    return descriptors(), *alive()


def client_closes(running: RunningGateway) -> None:
    """Open a stream whose browser hangs up."""
    token, stream = running.open(pair=tcp_pair())
    stream.close()
    running.wait_reason(token)


def client_resets(running: RunningGateway) -> None:
    """Open a stream whose browser crashes."""
    token, stream = running.open(pair=tcp_pair())
    stream.reset()
    running.wait_reason(token)


def server_closes(running: RunningGateway) -> None:
    """Open a stream that the backend ends; the browser hangs up, too."""
    token, stream = running.open()
    running.gateway.send(token, Event("n", "1"), close=True)
    assert stream.wait_for_end() is Ended.CLEAN
    stream.close()


def server_closes_with_bytes_waiting(running: RunningGateway) -> None:
    """Open a stream of a slow browser, and end it."""
    token, stream = running.open(send_buffer=4096)
    running.stall(token)
    running.gateway.close(token)
    assert stream.wait_for_end() is Ended.CLEAN
    stream.close()


def write_fails(running: RunningGateway) -> None:
    """Open a stream whose browser has left when an event is sent."""
    token, stream = running.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(WriteFailed):
        running.gateway.send(token, Event("n", "1"))
    stream.close()


def slow_consumer(running: RunningGateway) -> None:
    """Open a stream whose browser leaves too much unread."""
    token, stream = running.open(send_buffer=4096)
    running.stall(token)
    with pytest.raises(WriteFailed):
        running.gateway.send(token, Event(None, "x" * running.gateway.config.max_buffer_bytes))
    stream.close()


def refused(running: RunningGateway) -> None:
    """Ask for a stream that the backend refuses; the worker closes the socket."""
    running.backend.answer = CallbackAnswer(404)
    visit = running.visit()
    visit.refusal()
    visit.server.close()
    visit.client.close()


def rejected_in_stream(running: RunningGateway) -> None:
    """Ask for a stream that the backend refuses, in the envelope dialect."""
    running.backend.answer = CallbackAnswer(401)
    stream = running.visit().stream(OpenResult.REJECTED)
    assert stream.wait_for_end() is Ended.CLEAN
    stream.close()


def client_gone_while_connecting(running: RunningGateway) -> None:
    """Ask for a stream, and leave before the backend has answered."""
    gate = Signal()
    running.backend.during = lambda token: gate.wait()
    visit = running.visit()
    visit.client.close()
    soon(lambda: running.stats.active == 0, "the client's end to be seen")
    gate.set()
    assert visit.outcome() is OpenResult.ABANDONED


def killed_while_connecting(running: RunningGateway) -> None:
    """Ask for a stream, and kill the worker's greenlet before the backend has answered."""
    running.backend.during = lambda token: gevent.sleep(3600)
    visit = running.visit()
    visit.opening.kill()
    visit.server.close()
    visit.client.close()


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """Check that afterwards there are no more objects and descriptors than before."""
    before = census()
    yield
    # Not more than before: objects of an earlier test may still be going away.
    wait_until(
        lambda: all(now <= then for now, then in zip(census(), before, strict=True)),
        lambda: f"at most {before}; there are {census()}",
    )


@pytest.mark.parametrize(
    ("live", "dialect"),
    [
        (client_closes, Dialect.NAMED),
        (client_resets, Dialect.NAMED),
        (server_closes, Dialect.NAMED),
        (server_closes_with_bytes_waiting, Dialect.NAMED),
        (write_fails, Dialect.NAMED),
        (slow_consumer, Dialect.NAMED),
        (refused, Dialect.NAMED),
        (rejected_in_stream, Dialect.ENVELOPE),
        (client_gone_while_connecting, Dialect.NAMED),
        (killed_while_connecting, Dialect.NAMED),
    ],
)
def test_nothing_is_left(live: Callable[[RunningGateway], None], dialect: Dialect) -> None:
    """After many lives of one kind, no descriptor, watcher or object is left of them."""
    with RunningGateway(dialect=dialect, heartbeat_interval=0.2, max_buffer_bytes=5000) as running:
        live(running)  # objects that are made once are made now
        running.visits.clear()
        wait_until(lambda: not running.gateway._heartbeats._due, "the last heartbeat")
        # The heartbeats' greenlet may still let others run, and then has no timer, which is one of
        # the watchers. This waits behind it.
        let_others_run()
        time.sleep(0.001)  # each later count follows a sleep, too, whose timer is still there
        with nothing_left():
            for _ in range(ROUNDS):
                live(running)
                running.visits.clear()
        assert running.stats.active == 0
        assert not running.gateway._streams.closing
        assert running.stats.bytes_buffered == 0


def test_descriptors_are_used_again(running: RunningGateway) -> None:
    """A stream on the descriptor of an ended stream gets its own events only."""
    seen = set()
    for number in range(50):
        running.backend.answer = CallbackAnswer(404 if number % 3 == 0 else 200)
        pair = tcp_pair()
        seen.add(pair[1].fileno())
        visit = running.visit(pair=pair)
        if visit.outcome() is not OpenResult.OPENED:
            visit.server.close()
            visit.client.close()
            continue
        visit.opening.join()
        stream = visit.stream()
        running.gateway.send(visit.token, Event(None, str(number)))
        assert [event.data for event in stream.collect_until("message")] == [str(number)]
        if number % 2:
            running.gateway.close(visit.token)
            assert stream.wait_for_end() is Ended.CLEAN
        stream.close()
        running.wait_reason(visit.token)
    assert len(seen) < 25, "descriptors should have been used again"


def test_a_large_head_costs_no_more_than_another() -> None:
    """Repetitive heads of 15 KB cost a stream less than half a kilobyte."""

    def cost(headers: dict[str, str]) -> float:
        """Return the bytes that a stream with such a request costs."""
        with RunningGateway() as running:
            running.open(headers=headers)
            running.backend.calls.clear()
            gc.collect()
            tracemalloc.start()
            try:
                for number in range(50):
                    running.open(f"/s?request_id={number}", headers=dict(headers))
                    running.backend.calls.clear()  # the fake keeps each callback
                gc.collect()
                return tracemalloc.get_traced_memory()[0] / 50
            finally:
                tracemalloc.stop()

    small = cost({"host": "h", "x": "y"})
    assert cost({"host": "h", "x": "\xff" * 15_000}) < small + 512
