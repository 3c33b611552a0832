"""The streams of a backend's earlier starts, and the time of their end."""

from __future__ import annotations

import logging

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.callbacks.backend_starts import (
    ASK_SECONDS,
    SILENCE_SECONDS,
    BackendStarts,
)
from gateway_shim.streams.drain import end_earlier
from tests.gateway_shim.fakes import FakeClock
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended
from tests.support.http.stream import Stream

OLD = Boot(1000, "00000000-0000-4000-8000-000000000001")
NEW = Boot(2000, "00000000-0000-4000-8000-000000000002")
TWIN = Boot(2000, "00000000-0000-4000-8000-000000000003")
NEWEST = Boot(3000, "00000000-0000-4000-8000-000000000004")


class Watched:
    """The starts of a backend, on a clock that a test sets.

    Attributes:
        clock: the clock.
        ended: the start before which streams were ended, each time.
        starts: compares the starts.
        wake_at: the times at which the next sleeps end, instead of the right ones.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ended: list[Boot] = []
        self.starts = BackendStarts(self.clock, self._sleep)
        self.starts.end_earlier = self.ended.append
        self.wake_at: list[float] = []
        self._moved = Signal()

    def answer(self, *boots: Boot) -> None:
        """Let these starts answer."""
        for boot in boots:
            assert self.starts.answered(200, str(boot)) == boot

    def after(self, seconds: float) -> list[Boot]:
        """Let seconds pass, and return the starts before which streams were ended."""
        self.clock.now += seconds
        self._moved.set()
        for _ in range(3):
            gevent.sleep(0)
        return self.ended

    def _sleep(self, seconds: float) -> None:
        until = self.wake_at.pop(0) if self.wake_at else self.clock.now + seconds
        while self.clock.now < until:
            self._moved.clear()
            self._moved.wait()


@pytest.fixture
def watched() -> Watched:
    """Return the starts of a backend."""
    return Watched()


def test_one_start(watched: Watched) -> None:
    """While one process answers, no stream is ended."""
    watched.answer(OLD, OLD, OLD)
    assert watched.after(1000) == []
    watched.answer(OLD)
    assert watched.after(1000) == []


def test_a_later_start(watched: Watched) -> None:
    """After one answer of a later start, the streams of a silent earlier start end, once."""
    watched.answer(OLD, NEW)
    assert watched.after(SILENCE_SECONDS - 0.1) == []
    assert watched.after(0.2) == [NEW]
    watched.answer(NEW)
    assert watched.after(1000) == [NEW], "once"


def test_a_reload(watched: Watched) -> None:
    """While two processes answer, the earlier one keeps its streams: it sends or answers."""
    watched.answer(OLD, NEW)
    for _ in range(10):
        watched.after(SILENCE_SECONDS - 0.1)
        watched.starts.sent(OLD)
        watched.starts.sent(NEW)
        watched.answer(NEW)
    for _ in range(10):
        watched.after(SILENCE_SECONDS - 0.1)
        watched.answer(OLD, NEW)
    assert watched.ended == []
    for _ in range(2):
        watched.after(SILENCE_SECONDS / 2 + 0.1)
        watched.starts.sent(NEW)
        watched.answer(NEW)
    assert watched.ended == [NEW]


def test_an_earlier_start_ends_nothing(watched: Watched) -> None:
    """The answers of an earlier start end no stream; its own end when it is silent."""
    watched.answer(NEW, OLD, OLD)
    assert watched.after(1000) == []
    watched.answer(OLD)
    watched.after(SILENCE_SECONDS - 0.1)
    watched.answer(NEW)
    assert watched.ended == []
    watched.after(0.2)
    watched.answer(NEW)
    assert watched.ended == [NEW]
    watched.answer(NEW)
    assert watched.after(1000) == [NEW]


def test_a_clock_that_was_set_back(watched: Watched) -> None:
    """A later process whose clock was set back looks like the earlier one: no stream is ended."""
    watched.answer(NEW)
    for _ in range(5):
        watched.answer(OLD)
        watched.after(1000)
    assert watched.ended == []


def test_two_starts_in_one_millisecond(watched: Watched) -> None:
    """Two starts in the same millisecond end no stream: neither is earlier."""
    watched.answer(NEW, TWIN, NEW)
    assert watched.after(1000) == []


def test_two_restarts_in_a_row(watched: Watched) -> None:
    """The streams of two earlier starts end together."""
    watched.answer(OLD, NEW)
    watched.after(1)
    watched.answer(NEWEST)
    assert watched.after(SILENCE_SECONDS - 0.1) == []
    assert watched.after(0.2) == [NEWEST]


def test_answers_without_a_start(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """Answers without a valid start change nothing, and are logged once."""
    caplog.set_level(logging.INFO)
    watched.answer(OLD)
    assert watched.starts.answered(502, None) is None
    assert caplog.records == []
    for _ in range(3):
        assert watched.starts.answered(200, None) is None
        assert watched.starts.answered(200, "soon\r\nx") is None
        assert watched.starts.answered(200, "x" * 5000) is None
    assert watched.after(1000) == []
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "have no SSE-Backend-Boot" in caplog.messages[0]
    assert caplog.messages[1] == "the backend's SSE-Backend-Boot is malformed: 'soon\\r\\nx'"


def test_the_backend_is_asked(watched: Watched) -> None:
    """The backend is asked if it has not answered for a while and there are streams."""
    asked: list[float] = []
    streams: list[str] = []
    watched.starts.ask = lambda: asked.append(watched.clock.now)
    asking = gevent.spawn(watched.starts.run, streams)
    gevent.sleep(0)
    streams.append("t")
    watched.after(ASK_SECONDS)
    watched.starts.answered(200, None)
    watched.after(ASK_SECONDS)
    assert asked == [], "the backend may not know the header"
    watched.answer(OLD)
    watched.after(ASK_SECONDS)
    assert len(asked) == 1
    watched.after(ASK_SECONDS - 1)
    watched.answer(OLD)
    watched.after(1)
    assert len(asked) == 1, "the backend has answered meanwhile"
    watched.after(ASK_SECONDS)
    assert len(asked) == 2
    streams.clear()
    watched.after(ASK_SECONDS)
    assert len(asked) == 2
    asking.kill()


def test_a_timer_that_fires_early_does_not_cost_a_question(watched: Watched) -> None:
    """After a timer that fires early, only the rest of the time is waited for."""
    asked: list[float] = []
    watched.starts.ask = lambda: asked.append(watched.clock.now)
    watched.answer(OLD)
    start = watched.clock.now
    early = watched.clock.now + ASK_SECONDS - 84e-6
    # The loop's timers may fire some microseconds early.
    watched.wake_at = [early]
    asking = gevent.spawn(watched.starts.run, ["t"])
    gevent.sleep(0)
    watched.after(ASK_SECONDS - 84e-6)
    watched.after(84e-6)
    assert asked == [pytest.approx(start + ASK_SECONDS)]
    asking.kill()


# ------------------------------------------------------------------------- through a gateway


def opened(running: RunningGateway, boot: Boot | None) -> tuple[str, Stream]:
    """Open a stream that this start has accepted."""
    running.backend.answer = CallbackAnswer(200, boot=boot)
    return running.open()


def test_streams_of_an_earlier_start_end() -> None:
    """The streams of earlier starts end cleanly, with no byte added; all others stay."""
    with RunningGateway() as running:
        first, second = opened(running, OLD), opened(running, NEW)
        silent, later = opened(running, None), opened(running, NEWEST)
        connecting_for: list[str] = []
        running.backend.during = lambda token: (connecting_for.append(token), gevent.sleep(0.05))
        running.backend.answer = CallbackAnswer(200, boot=NEW)
        connecting = running.visit()
        running.gateway.send(first[0], Event(None, "before"))
        running.gateway.end_earlier(NEW)
        assert first[1].wait_for_end() is Ended.CLEAN
        assert first[1].raw == b"data: before\n\n"
        assert running.wait_reason(first[0]) == "server_closed"
        for token, stream in (second, silent, later, (connecting.token, connecting.stream())):
            running.gateway.send(token, Event(None, "still there"))
            assert stream.next_event().data == "still there"
        assert len(running.backend.reasons) == 1


def test_the_log_warns_only_of_streams_that_end(caplog: pytest.LogCaptureFixture) -> None:
    """The log has a warning only if a stream ends; after a reload there is none."""
    caplog.set_level(logging.INFO, "gateway_shim.streams.drain")
    with RunningGateway() as running:
        opened(running, NEW)
        running.gateway.end_earlier(NEW)
        assert [record for record in caplog.records if "earlier" in record.message] == []
        token, _ = opened(running, OLD)
        running.gateway.end_earlier(NEW)
        assert running.wait_reason(token) == "server_closed"
    lines = [(record.levelname, record.message) for record in caplog.records]
    assert [line for line in lines if "earlier" in line[1]] == [
        ("WARNING", "the backend has restarted; ending the streams of its earlier process"),
        ("INFO", "ended the streams of the backend's earlier process"),
    ]


def test_streams_end_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more streams end in a second than browsers may come back."""
    pauses: list[float] = []
    monkeypatch.setattr("gateway_shim.streams.drain._ENDED_AT_ONCE", 2)
    with RunningGateway() as running:
        streams = [opened(running, OLD) for _ in range(5)]
        end_earlier(running.gateway._streams, NEW, pauses.append)
        for token, stream in streams:
            assert stream.wait_for_end() is Ended.CLEAN
            assert running.wait_reason(token) == "server_closed"
    assert pauses == [0.002, 0.002]


def test_streams_share_their_start() -> None:
    """Streams of one start share its object, and a send to them is noted for it."""
    with RunningGateway() as running:
        told: list[Boot] = []
        running.gateway.starts = starts = BackendStarts()
        starts.sent = told.append  # type: ignore[method-assign]
        streams = [opened(running, OLD) for _ in range(2)]
        unknown, _ = opened(running, None)
        boots = {id(running.gateway._streams.by_token[token].stream.boot) for token, _ in streams}
        assert boots == {id(OLD)}
        running.gateway.send(streams[0][0], Event(None, "x"))
        running.gateway.send(unknown, Event(None, "x"))
        assert told == [OLD]
        soon(lambda: streams[0][1].poll().events, "the event")
