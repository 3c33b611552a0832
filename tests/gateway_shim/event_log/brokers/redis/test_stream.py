"""Tests of the stream in Redis, over a real one."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from gateway_shim.errors import BusRefused, BusUnreachable
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.stream import (
    Appended,
    RedisStream,
    StoredEntry,
    View,
    pack,
)
from gateway_shim.event_log.brokers.redis.url import RedisURL
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("redis")

LIMITS = (100_000, 1 << 20)


@pytest.fixture(name="stream")
def fixture_stream(redis_server: RedisServer, prefix: str) -> Iterator[RedisStream]:
    """Return a stream that nobody has used."""
    stream = stream_of(redis_server, prefix)
    yield stream
    stream.close()


def stream_of(server: RedisServer, prefix: str, signature: str = "named") -> RedisStream:
    """Return a stream over a connection of its own."""
    client = RedisClient(RedisURL.parse(server.url), TIME_LIMIT)
    return RedisStream(client, Keys(prefix), signature)


def events(*texts: bytes) -> list[bytes]:
    """Return packed events for everyone."""
    return [pack("*", text) for text in texts]


def append(stream: RedisStream, epoch: str, number: int, *texts: bytes, known: int = 0) -> Appended:
    """Append events as the producer ``p``."""
    return stream.append(epoch, known, "p", number, LIMITS, events(*texts))


def test_append_and_read(stream: RedisStream) -> None:
    """Each entry names the one before it."""
    epoch = stream.begin("", "")
    assert append(stream, epoch, 1, b"a", b"b") == Appended("done", 1)
    assert stream.append(epoch, 0, "q", 7, LIMITS, [pack("r:ü\n", b"")]) == Appended("done", 3)
    assert stream.read(epoch, 0, 10, 1) == [
        StoredEntry(1, "p:1:0", "begin", "*", b"a"),
        StoredEntry(2, "p:1:1", "p:1:0", "*", b"b"),
        StoredEntry(3, "q:7:0", "p:1:1", "r:ü\n", b""),
    ]
    assert [entry.position for entry in stream.read(epoch, 1, 1, 1)] == [2]


def test_a_number_is_appended_once(stream: RedisStream) -> None:
    """A repetition gets the position of the first time, and an older number is refused."""
    epoch = stream.begin("", "")
    assert append(stream, epoch, 1, b"a").first == 1
    assert append(stream, epoch, 2, b"b", b"c").first == 2
    assert append(stream, epoch, 2, b"b", b"c").first == 2
    assert append(stream, epoch, 1, b"a") == Appended("stale")
    assert len(stream.read(epoch, 0, 10, 1)) == 3


def test_an_epoch_that_is_not_in_use(stream: RedisStream) -> None:
    """The answer names the one that is."""
    assert append(stream, "", 1, b"a") == Appended("epoch", text="")
    epoch = stream.begin("", "")
    assert append(stream, "other", 1, b"a") == Appended("epoch", text=epoch)


def test_events_of_another_form(
    stream: RedisStream, redis_server: RedisServer, prefix: str
) -> None:
    """They are not mixed."""
    epoch = stream.begin("", "")
    other = stream_of(redis_server, prefix, "envelope")
    assert append(other, epoch, 1, b"a") == Appended("signature", text="named")
    other.close()


def test_one_process_begins_an_epoch(stream: RedisStream) -> None:
    """Of two that notice a loss, the second one adopts the epoch of the first one."""
    first = stream.begin("", "")
    second = stream.begin(first, first)
    assert second != first
    assert stream.begin(first, first) == second


def test_a_new_epoch_wakes_those_who_wait_in_the_old_one(
    stream: RedisStream, redis_server: RedisServer, prefix: str
) -> None:
    """Also if the stream of the old one is lost. Nothing of it stays for long."""
    old = stream.begin("", "")
    waiter = stream_of(redis_server, prefix)
    waiting = gevent.spawn(waiter.read, old, 0, 10, TIME_LIMIT / 2)
    gevent.sleep(0.05)
    redis_server.do("DEL", f"{{{prefix}}}:meta", f"{{{prefix}}}:stream:{old}")
    stream.begin("", old)
    entries = waiting.get(timeout=TIME_LIMIT)
    assert [entry.is_end for entry in entries] == [True]
    assert 0 < redis_server.do("TTL", f"{{{prefix}}}:stream:{old}") <= 60
    waiter.close()


def test_redis_knows_less_than_before(
    stream: RedisStream, redis_server: RedisServer, prefix: str
) -> None:
    """An append finds it out by the position that it knows, and by a stream that is missing."""
    epoch = stream.begin("", "")
    append(stream, epoch, 1, b"a")
    assert append(stream, epoch, 2, b"b", known=2) == Appended("lost")
    redis_server.do("DEL", f"{{{prefix}}}:stream:{epoch}")
    assert append(stream, epoch, 3, b"b") == Appended("lost")
    # An older stream beside a newer meta, as after a partial restore.
    redis_server.do("XADD", f"{{{prefix}}}:stream:{epoch}", "9-1", "tag", "value")
    assert append(stream, epoch, 4, b"b") == Appended("lost")


def test_look(stream: RedisStream, redis_server: RedisServer, prefix: str) -> None:
    """The state of the stream, and one entry."""
    assert stream.look("", 0) == View("", "", 0, "", False, None, None)
    epoch = stream.begin("", "")
    append(stream, epoch, 1, b"a", b"b", b"c")
    redis_server.do("XTRIM", f"{{{prefix}}}:stream:{epoch}", "MAXLEN", "=", 2)
    oldest = StoredEntry(2, "p:1:1", "p:1:0", "*", b"b")
    newest = StoredEntry(3, "p:1:2", "p:1:1", "*", b"c")
    assert stream.look(epoch, 3) == View(epoch, "named", 3, "p:1:2", True, oldest, newest)
    assert stream.look(epoch, 1) == View(epoch, "named", 3, "p:1:2", True, oldest, None)
    assert stream.look("other", 3) == View(epoch, "named", 3, "p:1:2", False, None, None)


def test_the_bytes_are_bounded(stream: RedisStream, redis_server: RedisServer, prefix: str) -> None:
    """The entries that are kept take the limit and a sixteenth at most. The newest one stays."""
    epoch = stream.begin("", "")
    limits = (100_000, 16_000)
    for number in range(1, 101):
        stream.append(epoch, 0, "p", number, limits, events(b"x" * 400))
    view = stream.look(epoch, 100)
    assert view.oldest is not None
    kept = 100 - view.oldest.position + 1
    assert 15_500 <= kept * 407 <= 17_500
    for number in range(101, 104):
        answer = stream.append(epoch, 0, "p", number, limits, events(b"x" * 50_000))
        assert answer == Appended("done", number)
    assert redis_server.do("XLEN", f"{{{prefix}}}:stream:{epoch}") == 1
    assert len(stream.read(epoch, 102, 10, 1)) == 1


def test_signs_of_life(stream: RedisStream) -> None:
    """Names are told only to who does not know them yet."""
    one = stream.pulse("one", 5, "")
    assert one[:3] == ("", 0, True)
    assert one.names == ["one"]
    epoch = stream.begin("", "")
    two = stream.pulse("two", 5, one.digest)
    assert (two.epoch, two.is_new, two.names) == (epoch, True, ["one", "two"])
    again = stream.pulse("one", 5, two.digest)
    assert (again.is_new, again.digest, again.names) == (False, two.digest, [])
    assert sorted(stream.processes()) == ["one", "two"]
    gone = stream.pulse("two", 0, two.digest)
    assert gone.names == ["one"]
    stream.pulse("three", 0.001, "")
    gevent.sleep(0.01)
    assert stream.pulse("one", 5, "").names == ["one"]


def test_old_producers_are_forgotten(
    stream: RedisStream, redis_server: RedisServer, prefix: str
) -> None:
    """The others keep their numbers."""
    epoch = stream.begin("", "")
    append(stream, epoch, 1, b"a")
    redis_server.do("HSET", f"{{{prefix}}}:meta", "p:old", "5 1 1000")
    stream.sweep(3600)
    names = redis_server.do("HKEYS", f"{{{prefix}}}:meta")
    assert "p:p" in names
    assert "p:old" not in names
    assert append(stream, epoch, 1, b"a") == Appended("done", 1)


@pytest.mark.parametrize("fields", [("a", "b"), ("t", "x:a"), ("t", "1:a", "u", "v")])
def test_entries_of_another_program(
    stream: RedisStream, redis_server: RedisServer, prefix: str, fields: tuple[str, ...]
) -> None:
    """They are refused, and the message says what to do."""
    epoch = stream.begin("", "")
    redis_server.do("XADD", f"{{{prefix}}}:stream:{epoch}", "1-1", *fields)
    with pytest.raises(BusRefused, match="choose another prefix"):
        stream.read(epoch, 0, 10, 1)


def test_an_answer_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """A server that speaks Redis's language and is none."""
    client = RedisClient(RedisURL.parse("unix:///nothing"), 1)
    monkeypatch.setattr(client, "call", lambda *_: [1, 2, 3, 4, 5])
    with pytest.raises(BusUnreachable, match="an answer that no Redis gives"):
        RedisStream(client, Keys(prefix), "named").look("e", 1)
