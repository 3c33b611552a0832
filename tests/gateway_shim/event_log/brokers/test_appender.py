"""Tests of the appends of one process, without Redis."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway_shim.errors import BusRefused, BusUnreachable, LogUnavailable
from gateway_shim.event_log.brokers import appender as module
from gateway_shim.event_log.brokers.appender import Appender
from gateway_shim.event_log.brokers.redis.stream import Appended
from gateway_shim.event_log.cursor import Cursor
from tests.gateway_shim.event_log.brokers.fake_stream import AWAY, FakeStream
from tests.gateway_shim.hub_errors import soon
from tests.support.timing import TIME_LIMIT

FOUND = Appended("epoch", text="e")
"""The answer to the first append of a process, which knows no epoch."""


class Appending:
    """An appender that runs, and its stream.

    Args:
        seconds: how long an append may wait.
    """

    def __init__(self, seconds: float = TIME_LIMIT) -> None:
        self.stream = FakeStream()
        self.stream.answers = [FOUND]
        self.local = ("e", 0)
        limits = (1000, 1000)
        self.appender = Appender(self.stream, limits, seconds, lambda: self.local)
        self.greenlet = gevent.spawn(self.appender.run)

    def append(self, text: bytes) -> Cursor:
        """Append an event for everyone."""
        return self.appender.append("*", text)


@pytest.fixture(name="appending")
def fixture_appending() -> Iterator[Appending]:
    """Run an appender."""
    appending = Appending()
    yield appending
    appending.greenlet.kill()


def test_one_event(appending: Appending) -> None:
    """The epoch is learned from the first answer; the answer is where the event is."""
    assert appending.append(b"a") == Cursor("e", 1)
    assert appending.append(b"b") == Cursor("e", 2)
    assert appending.stream.appended == [("e", 1, [b"1:*a"]), ("e", 2, [b"1:*b"])]
    assert appending.stream.known[1:] == [0, 1]


def test_events_that_come_meanwhile_share_a_request(appending: Appending) -> None:
    """In the order in which they came."""
    appending.stream.pause = 0.01
    greenlets = [gevent.spawn(appending.append, b"%d" % number) for number in range(5)]
    gevent.joinall(greenlets, raise_error=True)
    assert [greenlet.value for greenlet in greenlets] == [Cursor("e", n) for n in range(1, 6)]
    sizes = [len(packed) for _, _, packed in appending.stream.appended]
    assert sum(sizes) == 5
    assert len(sizes) <= 2


def test_a_request_is_bounded(appending: Appending, monkeypatch: pytest.MonkeyPatch) -> None:
    """By entries and by bytes; a larger event goes alone."""
    monkeypatch.setattr(module, "_BATCH_ENTRIES", 3)
    monkeypatch.setattr(module, "_BATCH_BYTES", 20)
    appending.stream.pause = 0.01
    texts = [b"x", *[b"y" * 30] * 2, *[b"z"] * 5, b"12345678", b"12345678"]
    greenlets = [gevent.spawn(appending.append, text) for text in texts]
    gevent.joinall(greenlets, raise_error=True)
    batches = [packed for _, _, packed in appending.stream.appended]
    assert [one[3:] for batch in batches for one in batch] == texts
    assert all(len(batch) <= 3 for batch in batches)
    assert all(len(batch) == 1 or sum(map(len, batch)) <= 20 for batch in batches)


def test_a_lost_answer_is_asked_for_again(appending: Appending) -> None:
    """With the same number, so that Redis can tell."""
    appending.stream.answers = [FOUND, BusUnreachable("cut"), AWAY]
    assert appending.append(b"a") == Cursor("e", 1)
    appending.append(b"b")
    assert [number for _, number, _ in appending.stream.appended] == [1, 2]
    assert appending.appender.problem is None


def test_what_must_not_wait_for_redis(appending: Appending) -> None:
    """Ends at the first failure, also if its turn has not come; all other events wait on."""
    failures = [BusUnreachable("cut")] * 4
    appending.stream.answers = [FOUND, *failures]
    waiting = gevent.spawn(appending.append, b"a")
    soon(lambda: appending.appender._sending, "the request")
    for _ in range(2):  # the second one comes after the failure
        with pytest.raises(LogUnavailable, match="cut; the event was not appended"):
            appending.appender.append("n:", b"note", away_seconds=0)
    assert appending.stream.answers
    assert waiting.get() == Cursor("e", 1)
    assert appending.append(b"b") == Cursor("e", 2)
    assert [packed for _, _, packed in appending.stream.appended] == [[b"1:*a"], [b"1:*b"]]
    assert appending.appender.waiting == 0


def test_what_must_not_wait_for_redis_and_was_sent() -> None:
    """It is unknown whether Redis has it, so it is repeated with the others of its request."""
    appending = Appending()
    appending.stream.answers = [FOUND, BusUnreachable("cut")]
    with pytest.raises(LogUnavailable, match="cut; it is unknown"):
        appending.appender.append("n:", b"note", away_seconds=0)
    assert appending.append(b"a") == Cursor("e", 2)
    assert [number for _, number, _ in appending.stream.appended] == [1, 2]
    appending.greenlet.kill()


@pytest.mark.parametrize("code", ["READONLY", "LOADING"])
def test_a_refusal_that_may_pass(appending: Appending, code: str) -> None:
    """A failover, for example."""
    appending.stream.answers = [FOUND, BusRefused(code, may_pass=True)]
    assert appending.append(b"a") == Cursor("e", 1)


def test_a_refusal_that_stays(appending: Appending) -> None:
    """It is told at once, to all whose events were in the request; the next ones may succeed."""
    appending.stream.answers = [FOUND, BusRefused("no memory: buy some")]
    with pytest.raises(LogUnavailable, match="buy some; the event was not appended"):
        appending.append(b"a")
    assert appending.appender.problem == "no memory: buy some"
    assert appending.append(b"b") == Cursor("e", 1)
    assert appending.appender.problem is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AWAY, "no answer; the event was not appended"),
        (BusUnreachable("cut"), "cut; it is unknown whether the event was appended"),
    ],
)
def test_redis_does_not_come_back(error: LogUnavailable, text: str) -> None:
    """The append ends at its time, and says whether the event may be there."""
    appending = Appending(seconds=0.1)
    appending.stream.answers = [FOUND, *[error] * 1000]
    with pytest.raises(LogUnavailable, match=text):
        appending.append(b"a")
    appending.stream.answers = []
    appending.append(b"b")
    assert [packed for _, _, packed in appending.stream.appended][-1] == [b"1:*b"]
    appending.greenlet.kill()


def test_an_event_that_nobody_waits_for_is_not_sent() -> None:
    """Its publisher was told that it was not appended, or was killed."""
    appending = Appending(seconds=TIME_LIMIT)
    appending.stream.pause = 0.05
    first = gevent.spawn(appending.append, b"a")
    gevent.sleep(0.01)
    killed = gevent.spawn(appending.append, b"b")
    gevent.sleep(0.01)
    killed.kill()
    appending.append(b"c")
    assert first.get() == Cursor("e", 1)
    assert [packed for _, _, packed in appending.stream.appended] == [[b"1:*a"], [b"1:*c"]]
    appending.greenlet.kill()


def test_events_that_nobody_waits_for_take_no_space(appending: Appending) -> None:
    """Their bytes do not count, and are not kept."""
    appending.stream.pause = 0.05
    first = gevent.spawn(appending.append, b"a")
    gevent.sleep(0.01)
    killed = [gevent.spawn(appending.append, b"x" * 1000) for _ in range(5)]
    gevent.sleep(0)
    gevent.killall(killed)
    assert appending.appender._waiting_bytes == 0
    assert all(one.packed is None for one in appending.appender._waiting)
    first.get()
    assert appending.append(b"b") == Cursor("e", 2)
    assert not appending.appender._waiting


def test_too_many_events_wait(appending: Appending, monkeypatch: pytest.MonkeyPatch) -> None:
    """More are refused at once, and memory is bounded."""
    monkeypatch.setattr(module, "_WAITING_BYTES", 100)
    appending.stream.pause = 0.05
    greenlets = [gevent.spawn(appending.append, b"x" * 40) for _ in range(4)]
    gevent.joinall(greenlets)
    failures = [greenlet.exception for greenlet in greenlets if greenlet.exception is not None]
    assert 1 <= len(failures) <= 2
    assert all("wait for Redis already" in str(failure) for failure in failures)
    appending.append(b"x" * 40)


def test_redis_is_empty(appending: Appending) -> None:
    """A new epoch is begun, and those who wait in the epoch of this server are woken."""
    appending.stream.answers = [Appended("epoch", text="")]
    assert appending.append(b"a") == Cursor("new1", 1)
    assert appending.stream.begun == [("", "e")]


def test_redis_has_lost_events(appending: Appending) -> None:
    """The epoch that was in use is ended, by its name."""
    appending.append(b"a")
    appending.stream.answers = [Appended("lost")]
    assert appending.append(b"b") == Cursor("new1", 2)
    assert appending.stream.begun == [("e", "e")]


def test_the_position_that_redis_must_have(appending: Appending) -> None:
    """The newest position that was copied counts, in the same epoch only."""
    appending.append(b"a")
    appending.local = ("e", 40)
    appending.append(b"b")
    appending.local = ("f", 90)
    appending.append(b"c")
    assert appending.stream.known == [-1, 0, 40, 2]


def test_another_form(appending: Appending) -> None:
    """Both forms are named."""
    appending.stream.answers = [Appended("signature", text="envelope")]
    with pytest.raises(LogUnavailable, match="another form"):
        appending.append(b"a")


def test_a_number_that_comes_too_late(appending: Appending) -> None:
    """A request of before, which was on its way for long, does not overtake."""
    appending.stream.answers = [FOUND, Appended("stale")]
    with pytest.raises(LogUnavailable, match="a later event of this process"):
        appending.append(b"a")


def test_the_end(appending: Appending) -> None:
    """All who wait are told."""
    appending.stream.pause = TIME_LIMIT
    waiting = [gevent.spawn(appending.append, b"a") for _ in range(2)]
    gevent.sleep(0.01)
    late = gevent.spawn(appending.append, b"b")
    gevent.sleep(0)
    appending.greenlet.kill()
    appending.appender.close()
    for greenlet, fate in [(waiting[0], "it is unknown"), (late, "was not appended")]:
        with pytest.raises(LogUnavailable, match=f"the server ends; .*{fate}"):
            greenlet.get(timeout=TIME_LIMIT)


def test_the_time_is_over_while_redis_is_asked() -> None:
    """Redis may still append the event."""
    appending = Appending(seconds=0.05)
    appending.stream.pause = 0.2
    with pytest.raises(LogUnavailable, match=r"has not answered in time; it is unknown whether"):
        appending.append(b"a")
    appending.greenlet.kill()


def test_a_shorter_time_for_one_event() -> None:
    """It ends at its own time, is not sent after that, and does not end the others."""
    appending = Appending(seconds=TIME_LIMIT)
    appending.stream.answers = [FOUND, *[AWAY] * 5]
    long = gevent.spawn(appending.append, b"long")
    with pytest.raises(LogUnavailable, match="the event was not appended"):
        appending.appender.append("*", b"short", 0.001)
    assert long.get(timeout=TIME_LIMIT) == Cursor("e", 1)
    assert [packed for _, _, packed in appending.stream.appended] == [[b"1:*long"]]
    appending.greenlet.kill()


def test_a_problem_is_recent_for_some_seconds() -> None:
    """Nobody may publish at a server that is not ready, so it must become ready without that."""
    now = [1000.0]
    stream = FakeStream()
    stream.answers = [FOUND, BusRefused("full")]
    appender = Appender(stream, (1, 1), TIME_LIMIT, lambda: ("e", 0), lambda: now[0])
    greenlet = gevent.spawn(appender.run)
    assert (appender.recent_problem, appender.waiting) == (None, 0)
    with pytest.raises(LogUnavailable):
        appender.append("*", b"a")
    assert appender.recent_problem == "full"
    now[0] += 5
    assert appender.recent_problem is None
    greenlet.kill()


def test_the_appends_that_wait_are_counted(appending: Appending) -> None:
    """Those that are on their way, and those behind them."""
    appending.stream.pause = 0.05
    greenlets = [gevent.spawn(appending.append, b"a") for _ in range(3)]
    gevent.sleep(0)
    gevent.sleep(0)
    assert appending.appender.waiting == 3
    gevent.joinall(greenlets, raise_error=True)
    assert appending.appender.waiting == 0
