"""Tests of the stream reader, with a scripted server."""

from __future__ import annotations

import threading

import pytest

from tests.support.http.message import BrokenHTTP
from tests.support.http.scripted_server import ScriptedServer, answer, sse_answer
from tests.support.http.sse_parser import MalformedStream, SSEEvent
from tests.support.http.stream import StreamEnded, StreamNotOpened, open_stream
from tests.support.timing import TimeLimitPassed

ONE, TWO, THREE = b"event: a\ndata: 1\n\n", b"event: b\ndata: 2\n\n", b"event: a\ndata: 3\n\n"
EVENTS = [SSEEvent("a", "1"), SSEEvent("b", "2"), SSEEvent("a", "3")]


def test_waits_go_on_from_the_last() -> None:
    """Each wait begins after the event that the last wait returned."""
    with (
        ScriptedServer(sse_answer(ONE + TWO, THREE)) as server,
        open_stream(server.port, "/s?x=1") as stream,
    ):
        assert stream.wait_for("b") == EVENTS[1]
        assert stream.wait_for("a") == EVENTS[2]
        assert stream.wait_for_end() == "clean"
        assert stream.events == EVENTS
        assert len(stream.event_times) == 3
        assert stream.raw == ONE + TWO + THREE
        assert stream.chunks == [ONE + TWO, THREE]
    assert server.requests[0].startswith(
        b"GET /s?x=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
    )


def test_collect_until() -> None:
    """All events up to and including the wanted event are returned."""
    with (
        ScriptedServer(sse_answer(ONE, TWO, THREE)) as server,
        open_stream(server.port, "/") as stream,
    ):
        assert stream.collect_until(lambda event: event.data == "2") == EVENTS[:2]
        assert stream.next_event() == EVENTS[2]


def test_comments_and_retry() -> None:
    """Comments and the reconnection time are available beside the events."""
    with (
        ScriptedServer(sse_answer(b": x\n\n", b"retry: 7\n\n: y\n\n")) as server,
        open_stream(server.port, "/") as stream,
    ):
        assert stream.wait_for_comments(2) == [" x", " y"]
        assert stream.retry == 7
        assert len(stream.comment_times) == 2
        with pytest.raises(StreamEnded, match="before comment 3"):
            stream.wait_for_comments(3)


@pytest.mark.parametrize(("final", "ended"), [(True, "clean"), (False, "eof")])
def test_end_before_wanted_event(final: bool, ended: str) -> None:
    """The error for a stream that ends too early has the kind of end and the events so far."""
    with (
        ScriptedServer(sse_answer(ONE, final=final)) as server,
        open_stream(server.port, "/") as stream,
    ):
        with pytest.raises(StreamEnded, match=rf"ended \({ended}\) before 'b'.*1 events"):
            stream.wait_for("b")
        assert stream.ended == ended


def test_reset() -> None:
    """A reset is not a clean end."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(ONE, reset=True, hold=hold)) as server,
        open_stream(server.port, "/") as stream,
    ):
        stream.wait_for("a")
        assert stream.ended is None
        hold.set()
        assert stream.wait_for_end() == "reset"


def test_event_that_does_not_come() -> None:
    """If the wanted event does not come, the error has the events that came."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(ONE, hold=hold)) as server,
        open_stream(server.port, "/") as stream,
    ):
        stream.wait_for("a")
        with pytest.raises(TimeLimitPassed, match=r"for 'b'.*1 events.*data: 1"):
            stream.wait_for("b", limit=0.05)
        assert stream.poll().events == EVENTS[:1]
        hold.set()


def test_http_1_0_stream() -> None:
    """A stream without chunks ends cleanly with its connection."""
    head = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"
    with (
        ScriptedServer(answer(head, ONE, TWO)) as server,
        open_stream(server.port, "/", version="1.0") as stream,
    ):
        assert stream.wait_for("b") == EVENTS[1]
        assert stream.wait_for_end() == "clean"
        assert stream.chunks == []


def test_refusal() -> None:
    """A response that is not a stream is raised as an error that has the response."""
    head = b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n"
    with (
        ScriptedServer(answer(head, b"{}")) as server,
        pytest.raises(StreamNotOpened, match=r"503: b'\{\}'") as caught,
    ):
        open_stream(server.port, "/")
    assert (caught.value.response.status, caught.value.response.json()) == (503, {})


def test_strict_and_lenient() -> None:
    """A strict stream raises an error for a malformed event, and a lenient stream skips it."""
    with ScriptedServer(sse_answer(b"fish: 1\n\n"), sse_answer(b"fish: 1\n\n", ONE)) as server:
        with open_stream(server.port, "/") as stream, pytest.raises(MalformedStream):
            stream.wait_for("a")
        with open_stream(server.port, "/", strict=False) as stream:
            assert stream.wait_for("a") == EVENTS[0]


def test_lone_ids() -> None:
    """A stream has the last id, and accepts a block with an id alone only if the test asks."""
    with ScriptedServer(*[sse_answer(b": heartbeat\nid: e-7\n\n" + ONE)] * 2) as server:
        with open_stream(server.port, "/", lone_ids=True) as stream:
            assert stream.wait_for("a") == SSEEvent("a", "1", "e-7")
            assert stream.last_event_id == "e-7"
        with (
            open_stream(server.port, "/") as stream,
            pytest.raises(MalformedStream, match="no data"),
        ):
            stream.wait_for("a")


def test_clean_end_inside_event() -> None:
    """A strict stream whose body ends inside an event is malformed."""
    with (
        ScriptedServer(sse_answer(b"data: 1\n")) as server,
        open_stream(server.port, "/") as stream,
        pytest.raises(MalformedStream),
    ):
        stream.wait_for_end()


def test_broken_chunk() -> None:
    """Broken chunk framing raises an error."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    with (
        ScriptedServer(answer(head + b"\r\n", b"3\r\nabcdef\r\n")) as server,
        open_stream(server.port, "/") as stream,
        pytest.raises(BrokenHTTP),
    ):
        stream.wait_for_end()
