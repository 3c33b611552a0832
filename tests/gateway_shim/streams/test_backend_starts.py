"""Whose streams are ended, and when."""

from __future__ import annotations

import logging

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.backend_starts import ASK_SECONDS, SILENCE_SECONDS, BackendStarts
from gateway_shim.streams.drain import end_earlier
from tests.gateway_shim.streams.rig import FakeClock, Rig, soon
from tests.support.http.message import Ended
from tests.support.http.stream import Stream

OLD = Boot(1000, "00000000-0000-4000-8000-000000000001")
NEW = Boot(2000, "00000000-0000-4000-8000-000000000002")
TWIN = Boot(2000, "00000000-0000-4000-8000-000000000003")
NEWEST = Boot(3000, "00000000-0000-4000-8000-000000000004")


class Watched:
    """The starts of a backend, on a clock that a test sets.

    Attributes:
        ended: the start before which streams were ended, each time.
        wake_at: when the next sleeps end, where that is not when they should.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ended: list[Boot] = []
        self.starts = BackendStarts(self.clock, self._sleep)
        self.starts.end_earlier = self.ended.append
        self.wake_at: list[float] = []
        self._moved = Signal()

    def answer(self, *boots: Boot) -> None:
        """Have starts answer."""
        for boot in boots:
            assert self.starts.answered(200, str(boot)) == boot

    def after(self, seconds: float) -> list[Boot]:
        """What was ended once so many seconds have passed."""
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
    """The starts of a backend."""
    return Watched()


def test_one_start(watched: Watched) -> None:
    """As long as one process answers, nothing is ended."""
    watched.answer(OLD, OLD, OLD)
    assert watched.after(1000) == []
    watched.answer(OLD)
    assert watched.after(1000) == []


def test_a_later_start(watched: Watched) -> None:
    """Its first answer is enough: once the earlier one has been silent, its streams end."""
    watched.answer(OLD, NEW)
    assert watched.after(SILENCE_SECONDS - 0.1) == []
    assert watched.after(0.2) == [NEW]
    watched.answer(NEW)
    assert watched.after(1000) == [NEW], "once"


def test_a_reload(watched: Watched) -> None:
    """Two processes answer: the earlier one keeps its streams as long as it sends or answers."""
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
    """However often it answers. What it has accepted last is ended when it is silent."""
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
    """The later process looks like the earlier one: its streams are never ended for that."""
    watched.answer(NEW)
    for _ in range(5):
        watched.answer(OLD)
        watched.after(1000)
    assert watched.ended == []


def test_two_starts_in_one_millisecond(watched: Watched) -> None:
    """Neither is earlier."""
    watched.answer(NEW, TWIN, NEW)
    assert watched.after(1000) == []


def test_two_restarts_in_a_row(watched: Watched) -> None:
    """The streams of both are ended, together."""
    watched.answer(OLD, NEW)
    watched.after(1)
    watched.answer(NEWEST)
    assert watched.after(SILENCE_SECONDS - 0.1) == []
    assert watched.after(0.2) == [NEWEST]


def test_answers_that_do_not_say(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    """They change nothing, and are logged once; an error page is nobody's answer."""
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
    """Where nothing is answered, as long as there are streams; never one that says no start."""
    asked: list[float] = []
    streams: list[str] = []
    watched.starts.ask = lambda: asked.append(watched.clock.now)
    asking = gevent.spawn(watched.starts.run, streams)
    gevent.sleep(0)
    streams.append("t")
    watched.after(ASK_SECONDS)
    watched.starts.answered(200, None)
    watched.after(ASK_SECONDS)
    assert asked == [], "it may be another kind of backend"
    watched.answer(OLD)
    watched.after(ASK_SECONDS)
    assert len(asked) == 1
    watched.after(ASK_SECONDS - 1)
    watched.answer(OLD)
    watched.after(1)
    assert len(asked) == 1, "it has answered something else"
    watched.after(ASK_SECONDS)
    assert len(asked) == 2
    streams.clear()
    watched.after(ASK_SECONDS)
    assert len(asked) == 2
    asking.kill()


def test_a_timer_that_fires_early_does_not_cost_a_question(watched: Watched) -> None:
    """The rest of the time is waited for, not the whole of it again."""
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


def opened(rig: Rig, boot: Boot | None) -> tuple[str, Stream]:
    """Open a stream that this start has accepted."""
    rig.backend.answer = CallbackAnswer(200, boot=boot)
    return rig.open()


def test_streams_of_an_earlier_start_end() -> None:
    """Cleanly, with no byte added, reason ``server_closed``; all others stay."""
    with Rig() as rig:
        first, second = opened(rig, OLD), opened(rig, NEW)
        silent, later = opened(rig, None), opened(rig, NEWEST)
        connecting_for: list[str] = []
        rig.backend.during = lambda token: (connecting_for.append(token), gevent.sleep(0.05))
        rig.backend.answer = CallbackAnswer(200, boot=NEW)
        connecting = rig.visit()
        rig.gateway.send(first[0], Event(None, "before"))
        rig.gateway.end_earlier(NEW)
        assert first[1].wait_for_end() is Ended.CLEAN
        assert first[1].raw == b"data: before\n\n"
        assert rig.wait_reason(first[0]) == "server_closed"
        for token, stream in (second, silent, later, (connecting.token, connecting.stream())):
            rig.gateway.send(token, Event(None, "still there"))
            assert stream.next_event().data == "still there"
        assert len(rig.backend.reasons) == 1


def test_the_log_warns_only_of_streams_that_end(caplog: pytest.LogCaptureFixture) -> None:
    """After a reload of the backend there are none: the earlier process has ended its own."""
    caplog.set_level(logging.INFO, "gateway_shim.streams.drain")
    with Rig() as rig:
        opened(rig, NEW)
        rig.gateway.end_earlier(NEW)
        assert [record for record in caplog.records if "start" in record.message] == []
        token, _ = opened(rig, OLD)
        rig.gateway.end_earlier(NEW)
        assert rig.wait_reason(token) == "server_closed"
    said = [(record.levelname, record.message) for record in caplog.records]
    assert [line for line in said if "start" in line[1]] == [
        ("WARNING", "the backend has started anew: ending the streams of its earlier start"),
        ("INFO", "ended the streams of an earlier start"),
    ]


def test_they_end_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of them than may come back in a second."""
    pauses: list[float] = []
    monkeypatch.setattr("gateway_shim.streams.drain._ENDED_AT_ONCE", 2)
    with Rig() as rig:
        streams = [opened(rig, OLD) for _ in range(5)]
        end_earlier(rig.gateway._streams, NEW, pauses.append)
        for token, stream in streams:
            assert stream.wait_for_end() is Ended.CLEAN
            assert rig.wait_reason(token) == "server_closed"
    assert pauses == [0.002, 0.002]


def test_streams_share_their_start() -> None:
    """A stream costs a reference for it, and a sender's sign of life goes to who compares."""
    with Rig() as rig:
        told: list[Boot] = []
        rig.gateway.starts = starts = BackendStarts()
        starts.sent = told.append  # type: ignore[method-assign]
        streams = [opened(rig, OLD) for _ in range(2)]
        unknown, _ = opened(rig, None)
        boots = {id(rig.gateway._streams.by_token[token].stream.boot) for token, _ in streams}
        assert boots == {id(OLD)}
        rig.gateway.send(streams[0][0], Event(None, "x"))
        rig.gateway.send(unknown, Event(None, "x"))
        assert told == [OLD]
        soon(lambda: streams[0][1].poll().events, "the event")
