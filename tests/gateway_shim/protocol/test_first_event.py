"""The first event of a stream, alone and through a gateway."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import BodyFraming, Dialect, Event, Frame
from gateway_shim.protocol.first_event import FirstEvent
from gateway_shim.protocol.results import OpenResult
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended
from tests.support.timing import TIME_LIMIT, wait_until

RETRY = b"retry: 3000\n"
BEAT = b": heartbeat\n\n"


def test_adds_retry() -> None:
    """The event is the same, with the field in its block, for both kinds of body."""
    frame = event_stream.frame(b"event: n\ndata: 1\n\n")
    assert FirstEvent(3000)(frame) == event_stream.frame(RETRY + b"event: n\ndata: 1\n\n")


def test_a_broadcast_is_changed_once() -> None:
    """Streams with the same first event share its bytes."""
    first_event = FirstEvent(3000)
    one, two = event_stream.frame(b"data: 1\n\n"), event_stream.frame(b"data: 2\n\n")
    changed: list[Frame] = [first_event(one), first_event(one), first_event(two), first_event(one)]
    assert changed[0] is changed[1]
    assert changed[2] == event_stream.frame(RETRY + b"data: 2\n\n")
    assert changed[3] == changed[0]


@pytest.mark.parametrize("framing", BodyFraming)
def test_first_event_that_was_held(framing: BodyFraming) -> None:
    """The first event that is sent during the callback, such as a version, has the retry."""
    with RunningGateway(retry_ms=3000) as running:
        running.backend.during = lambda token: (
            running.gateway.send(token, Event("version", "1")),
            running.gateway.send(token, Event("version", "2")),
        )
        token, stream = running.open(framing=framing)
        running.gateway.send(token, Event("later", "3"))
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == (
            RETRY + b"event: version\ndata: 1\n\n"
            b"event: version\ndata: 2\n\nevent: later\ndata: 3\n\n"
        )


@pytest.mark.parametrize("framing", BodyFraming)
@pytest.mark.parametrize("method", ["send", "broadcast"])
def test_first_event_that_is_live(method: str, framing: BodyFraming) -> None:
    """The first send or broadcast has the retry, in one chunk; the next does not."""
    with RunningGateway(retry_ms=3000) as running:
        token, stream = running.open(framing=framing)
        for data in "12":
            if method == "send":
                running.gateway.send(token, Event(None, data))
            else:
                assert running.gateway.broadcast((token,), Event(None, data)).delivered == 1
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == RETRY + b"data: 1\n\ndata: 2\n\n"
        if framing is BodyFraming.CHUNKED:
            assert stream.chunks == [RETRY + b"data: 1\n\n", b"data: 2\n\n"]


def test_a_heartbeat_is_no_event() -> None:
    """A heartbeat that comes first stays a comment; the first event has the retry."""
    with RunningGateway(retry_ms=3000, heartbeat_interval=0.05) as running:
        token, stream = running.open()
        stream.wait_for_comments(2)
        running.gateway.send(token, Event(None, "1"))
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw.replace(BEAT, b"") == RETRY + b"data: 1\n\n"


def test_ready_is_the_first_event() -> None:
    """In the envelope dialect, ``ready`` is the first event if none was held."""
    with RunningGateway(retry_ms=3000, dialect=Dialect.ENVELOPE) as running:
        token, stream = running.open()
        running.gateway.send(token, Event("n", "1"))
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == (RETRY + b'event: ready\ndata:\n\ndata: {"type":"n","payload":1}\n\n')


def test_held_event_before_ready() -> None:
    """In the envelope dialect, a held event comes before ``ready`` and has the retry."""
    with RunningGateway(retry_ms=3000, dialect=Dialect.ENVELOPE) as running:
        running.backend.during = lambda token: running.gateway.send(token, Event("n", "1"))
        token, stream = running.open()
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == (RETRY + b'data: {"type":"n","payload":1}\n\nevent: ready\ndata:\n\n')


def test_farewell_that_is_the_first_event() -> None:
    """A farewell that is the first event has its own retry only."""
    with RunningGateway(retry_ms=3000) as running:
        gate = Signal()
        _, silent = running.open()
        running.backend.during = lambda token: gate.wait()
        connecting = running.visit()
        draining = gevent.spawn(running.gateway.drain, Event("bye", ""), TIME_LIMIT)
        assert silent.wait_for_end() is Ended.CLEAN
        gate.set()
        late = connecting.stream()
        assert late.wait_for_end() is Ended.CLEAN
        for stream in (silent, late):
            assert stream.retry != 3000
            assert stream.raw == b"retry: %d\nevent: bye\ndata: \n\n" % (stream.retry or 0)
        draining.get(timeout=TIME_LIMIT)


def test_end_without_an_event() -> None:
    """A stream without an event gets no retry, which would stand alone."""
    with RunningGateway(retry_ms=3000) as running:
        token, stream = running.open()
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b""


def test_rejected_is_as_in_the_contract() -> None:
    """The event of a rejected stream has no retry."""
    with RunningGateway(retry_ms=3000, dialect=Dialect.ENVELOPE) as running:
        running.backend.answer = CallbackAnswer(403)
        stream = running.visit().stream(OpenResult.REJECTED)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b'event: rejected\ndata: {"status":403,"message":"Forbidden"}\n\n'


def test_shortcut_after_the_first_event() -> None:
    """After its first event a stream has the hot loop's shortcut."""
    with RunningGateway(retry_ms=3000) as running:
        token, stream = running.open()
        connection = running.gateway._streams.by_token[token]
        assert connection.direct is None
        running.gateway.broadcast((token,), Event(None, "1"))
        assert connection.direct is not None
        running.gateway.broadcast((token,), Event(None, "2"))
        assert [event.data for event in (stream.next_event(), stream.next_event())] == ["1", "2"]


def test_first_event_that_does_not_fit() -> None:
    """The rest of a first event that does not fit waits; the next events follow in order."""
    with RunningGateway(retry_ms=3000) as running:
        token, stream = running.open(send_buffer=4096)
        connection = running.gateway._streams.by_token[token]
        big = "x" * 300_000
        running.gateway.send(token, Event(None, big))
        assert connection.direct is None
        assert running.gateway.broadcast((token,), Event(None, "2")).delivered == 1
        assert [event.data for event in (stream.next_event(), stream.next_event())] == [big, "2"]
        assert (stream.retry, stream.raw.count(b"retry:")) == (3000, 1)
        wait_until(lambda: connection.direct is not None, "the shortcut")
