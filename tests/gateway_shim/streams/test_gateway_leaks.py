"""What remains when streams have ended, which is nothing."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import tracemalloc
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.libev.corecext import watcher

from gateway_shim.errors import WriteFailed
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.protocol.lifecycle import Stream
from gateway_shim.streams.connection import Connection
from tests.gateway_shim.streams.rig import Rig, soon, tcp_pair
from tests.support.http.message import Ended
from tests.support.timing import wait_until

pytestmark = pytest.mark.slow

ROUNDS = 50


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def alive() -> tuple[int, ...]:
    """How many watchers, connections and streams there are.

    Objects are counted, not what the event loop calls active: it stops every timer that has
    expired before it calls the first of them, so its count depends on who was called first.
    """
    gc.collect()
    items = gc.get_objects()
    return tuple(
        sum(isinstance(item, kind) for item in items) for kind in (watcher, Connection, Stream)
    )


def census() -> tuple[int, ...]:
    """Descriptors, watchers, connections and streams that there are now."""
    return descriptors(), *alive()


def client_closes(rig: Rig) -> None:
    """A browser goes away."""
    token, stream = rig.open(pair=tcp_pair())
    stream.close()
    rig.wait_reason(token)


def client_resets(rig: Rig) -> None:
    """A browser crashes."""
    token, stream = rig.open(pair=tcp_pair())
    stream.reset()
    rig.wait_reason(token)


def server_closes(rig: Rig) -> None:
    """The backend ends the stream, and the browser hangs up too."""
    token, stream = rig.open()
    rig.gateway.send(token, Event("n", "1"), close=True)
    assert stream.wait_for_end() is Ended.CLEAN
    stream.close()


def server_closes_with_bytes_waiting(rig: Rig) -> None:
    """The same with a slow browser."""
    token, stream = rig.open(send_buffer=4096)
    rig.stall(token)
    rig.gateway.close(token)
    assert stream.wait_for_end() is Ended.CLEAN
    stream.close()


def write_fails(rig: Rig) -> None:
    """The browser is gone when something is sent."""
    token, stream = rig.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(WriteFailed):
        rig.gateway.send(token, Event("n", "1"))
    stream.close()


def slow_consumer(rig: Rig) -> None:
    """The browser leaves too much unread."""
    token, stream = rig.open(send_buffer=4096)
    rig.stall(token)
    with pytest.raises(WriteFailed):
        rig.gateway.send(token, Event(None, "x" * rig.gateway.config.max_buffer_bytes))
    stream.close()


def refused(rig: Rig) -> None:
    """The backend says no; the worker closes."""
    rig.backend.answer = CallbackAnswer(404)
    visit = rig.visit()
    assert visit.outcome() is not None
    visit.server.close()
    visit.client.close()


def rejected_in_stream(rig: Rig) -> None:
    """The backend says no, in the envelope dialect."""
    rig.backend.answer = CallbackAnswer(401)
    stream = rig.visit().stream()
    assert stream.wait_for_end() is Ended.CLEAN
    stream.close()


def client_gone_while_connecting(rig: Rig) -> None:
    """The browser leaves before the backend has answered."""
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    visit = rig.visit()
    visit.client.close()
    soon(lambda: rig.gateway.stats.active == 0, "the client's going to be seen")
    gate.set()
    assert visit.outcome() is None


def killed_while_connecting(rig: Rig) -> None:
    """The worker's greenlet is killed before the backend has answered."""
    rig.backend.during = lambda token: gevent.sleep(3600)
    visit = rig.visit()
    visit.opening.kill()
    visit.server.close()
    visit.client.close()


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """What is open and running afterwards is what was before."""
    before = census()
    yield
    # Not more than before: what an earlier test has left may still be going away.
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
def test_nothing_is_left(live: Callable[[Rig], None], dialect: Dialect) -> None:
    """After many lives of one kind, no descriptor, watcher or object is left of them."""
    with Rig(dialect=dialect, heartbeat_interval=0.2, max_buffer_bytes=5000) as rig:
        live(rig)  # whatever is made once is made now
        rig.visits.clear()
        wait_until(lambda: not rig.gateway._heartbeats._due, "the last heartbeat")
        with nothing_left():
            for _ in range(ROUNDS):
                live(rig)
                rig.visits.clear()
        assert rig.gateway.stats.active == 0
        assert not rig.gateway._streams.closing
        assert rig.gateway.stats.bytes_buffered == 0


def test_descriptors_are_used_again(rig: Rig) -> None:
    """A stream on a descriptor that an ended one had gets its own events and nothing else's."""
    seen = set()
    for number in range(50):
        rig.backend.answer = CallbackAnswer(404 if number % 3 == 0 else 200)
        pair = tcp_pair()
        seen.add(pair[1].fileno())
        visit = rig.visit(pair=pair)
        if visit.outcome() is not None:
            visit.server.close()
            visit.client.close()
            continue
        visit.opening.join()
        stream = visit.stream()
        rig.gateway.send(visit.token, Event(None, str(number)))
        assert [event.data for event in stream.collect_until("message")] == [str(number)]
        if number % 2:
            rig.gateway.close(visit.token)
            assert stream.wait_for_end() is Ended.CLEAN
        stream.close()
        rig.wait_reason(visit.token)
    assert len(seen) < 25, "descriptors were meant to be used again"


def test_a_large_head_costs_no_more_than_another() -> None:
    """Heads of 15 KB that repeat themselves cost a stream less than half a kilobyte."""

    def cost(headers: dict[str, str]) -> float:
        """Bytes that a stream with such a request costs."""
        with Rig() as rig:
            rig.open(headers=headers)
            rig.backend.calls.clear()
            gc.collect()
            tracemalloc.start()
            try:
                for number in range(50):
                    rig.open(f"/s?request_id={number}", headers=dict(headers))
                    rig.backend.calls.clear()  # the fake keeps each callback
                gc.collect()
                return tracemalloc.get_traced_memory()[0] / 50
            finally:
                tracemalloc.stop()

    small = cost({"host": "h", "x": "y"})
    assert cost({"host": "h", "x": "\xff" * 15_000}) < small + 512
