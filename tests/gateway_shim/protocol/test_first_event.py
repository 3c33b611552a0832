"""The first event of a stream, alone and through a gateway."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event, Frame
from gateway_shim.protocol.first_event import FirstEvent
from tests.gateway_shim.streams.rig import Rig
from tests.support.http.message import Ended
from tests.support.timing import TIME_LIMIT, wait_until

RETRY = b"retry: 3000\n"
BEAT = b": heartbeat\n\n"


def test_adds_retry() -> None:
    """The event is the same, with the field in its block, for both kinds of body."""
    frame = wire.frame(b"event: n\ndata: 1\n\n")
    assert FirstEvent(3000)(frame) == wire.frame(RETRY + b"event: n\ndata: 1\n\n")


def test_a_broadcast_is_changed_once() -> None:
    """Streams for which the same event is the first one share its bytes."""
    first_event = FirstEvent(3000)
    one, two = wire.frame(b"data: 1\n\n"), wire.frame(b"data: 2\n\n")
    changed: list[Frame] = [first_event(one), first_event(one), first_event(two), first_event(one)]
    assert changed[0] is changed[1]
    assert changed[2] == wire.frame(RETRY + b"data: 2\n\n")
    assert changed[3] == changed[0]


@pytest.mark.parametrize("http_1_0", [False, True])
def test_first_event_that_was_held(http_1_0: bool) -> None:
    """The event that the backend sends from inside its callback, as a version, has the retry."""
    with Rig(retry_ms=3000) as rig:
        rig.backend.during = lambda token: (
            rig.gateway.send(token, Event("version", "1")),
            rig.gateway.send(token, Event("version", "2")),
        )
        token, stream = rig.open(http_1_0=http_1_0)
        rig.gateway.send(token, Event("later", "3"))
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == (
            RETRY + b"event: version\ndata: 1\n\n"
            b"event: version\ndata: 2\n\nevent: later\ndata: 3\n\n"
        )


@pytest.mark.parametrize("http_1_0", [False, True])
@pytest.mark.parametrize("how", ["send", "broadcast"])
def test_first_event_that_is_live(how: str, http_1_0: bool) -> None:
    """With nothing held, the first send or broadcast has it, in one chunk; the next has not."""
    with Rig(retry_ms=3000) as rig:
        token, stream = rig.open(http_1_0=http_1_0)
        for data in "12":
            if how == "send":
                rig.gateway.send(token, Event(None, data))
            else:
                assert rig.gateway.broadcast((token,), Event(None, data)).delivered == 1
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == RETRY + b"data: 1\n\ndata: 2\n\n"
        if not http_1_0:
            assert stream.chunks == [RETRY + b"data: 1\n\n", b"data: 2\n\n"]


def test_a_heartbeat_is_no_event() -> None:
    """A heartbeat that comes first stays a comment, and the retry waits for the event."""
    with Rig(retry_ms=3000, heartbeat_interval=0.05) as rig:
        token, stream = rig.open()
        stream.wait_for_comments(2)
        rig.gateway.send(token, Event(None, "1"))
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw.replace(BEAT, b"") == RETRY + b"data: 1\n\n"


def test_ready_is_the_first_event() -> None:
    """In envelope, where nothing was held."""
    with Rig(retry_ms=3000, dialect=Dialect.ENVELOPE) as rig:
        token, stream = rig.open()
        rig.gateway.send(token, Event("n", "1"))
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == (RETRY + b'event: ready\ndata:\n\ndata: {"type":"n","payload":1}\n\n')


def test_held_event_before_ready() -> None:
    """In envelope an event that was held comes before ``ready``, and so is the first one."""
    with Rig(retry_ms=3000, dialect=Dialect.ENVELOPE) as rig:
        rig.backend.during = lambda token: rig.gateway.send(token, Event("n", "1"))
        token, stream = rig.open()
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == (RETRY + b'data: {"type":"n","payload":1}\n\nevent: ready\ndata:\n\n')


def test_farewell_that_is_the_first_event() -> None:
    """It has one retry, its own."""
    with Rig(retry_ms=3000) as rig:
        gate = Signal()
        _, silent = rig.open()
        rig.backend.during = lambda token: gate.wait()
        connecting = rig.visit()
        draining = gevent.spawn(rig.gateway.drain, Event("bye", ""), TIME_LIMIT)
        assert silent.wait_for_end() is Ended.CLEAN
        gate.set()
        late = connecting.stream()
        assert late.wait_for_end() is Ended.CLEAN
        for stream in (silent, late):
            assert stream.retry != 3000
            assert stream.raw == b"retry: %d\nevent: bye\ndata: \n\n" % (stream.retry or 0)
        draining.get(timeout=TIME_LIMIT)


def test_end_without_an_event() -> None:
    """A stream that gets no event gets no retry: it would stand alone."""
    with Rig(retry_ms=3000) as rig:
        token, stream = rig.open()
        rig.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b""


def test_rejected_is_as_in_the_contract() -> None:
    """A stream that the backend refuses is no stream of the backend's."""
    with Rig(retry_ms=3000, dialect=Dialect.ENVELOPE) as rig:
        rig.backend.answer = CallbackAnswer(403)
        stream = rig.visit().stream()
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b'event: rejected\ndata: {"status":403,"message":"Forbidden"}\n\n'


def test_afterwards_nothing_is_asked() -> None:
    """After its first event a stream takes the shortest way, as if there were no retry."""
    with Rig(retry_ms=3000) as rig:
        token, stream = rig.open()
        connection = rig.gateway._streams.by_token[token]
        assert connection.direct is None
        rig.gateway.broadcast((token,), Event(None, "1"))
        assert connection.direct is not None
        rig.gateway.broadcast((token,), Event(None, "2"))
        assert [event.data for event in (stream.next_event(), stream.next_event())] == ["1", "2"]


def test_first_event_that_does_not_fit() -> None:
    """What the kernel does not take of it waits; the next events follow it, in order."""
    with Rig(retry_ms=3000) as rig:
        token, stream = rig.open(send_buffer=4096)
        connection = rig.gateway._streams.by_token[token]
        big = "x" * 300_000
        rig.gateway.send(token, Event(None, big))
        assert connection.direct is None
        assert rig.gateway.broadcast((token,), Event(None, "2")).delivered == 1
        assert [event.data for event in (stream.next_event(), stream.next_event())] == [big, "2"]
        assert (stream.retry, stream.raw.count(b"retry:")) == (3000, 1)
        wait_until(lambda: connection.direct is not None, "the way to be clear")
