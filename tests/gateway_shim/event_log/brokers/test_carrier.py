"""Tests of the carrier over a real Redis: what it finds on its server when it begins."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import gevent
import pytest

from gateway_shim.event_log.brokers import carrier as module
from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.brokers.carrier import Carrier
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.stream import RedisStream, StoredEntry, pack
from gateway_shim.event_log.brokers.redis.url import RedisURL
from gateway_shim.event_log.limits import LogLimits
from tests.gateway_shim.event_log.brokers.sites import numbers
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT, wait_until

pytestmark = pytest.mark.needs("redis")


class Carried:
    """The copy of one server, and the stream that it is copied from.

    Args:
        server: the Redis.
        prefix: the prefix of the keys.
        directory: the directory of the copy.
    """

    def __init__(self, server: RedisServer, prefix: str, directory: Path) -> None:
        self._connect = lambda: RedisStream(
            RedisClient(RedisURL.parse(server.url), TIME_LIMIT), Keys(prefix), "s"
        )
        self.directory = directory
        self.stream = self._connect()
        self.epoch = self.stream.begin("", "")
        self._number = 0
        self.log = CarriedLog(directory, LogLimits(), signature="s")
        self.carrier = Carrier(self._connect(), self.log, directory, "here", "s")
        self._greenlet = gevent.spawn(self.carrier.run)

    def append(self, *numbers: int) -> None:
        """Append events in Redis, as another server does it."""
        self._number += 1
        packed = [pack("*", b"data: %d\n\n" % number) for number in numbers]
        producer = "another"
        self.stream.append(self.epoch, 0, producer, self._number, (1000, 10**6), packed)

    def until_has(self, *expected: int) -> None:
        """Wait until the copy has these events."""

        def found() -> bool:
            gevent.sleep(0)
            self.log.read(self.log.newest, 0)
            return self.log.epoch == self.epoch and numbers(self.log) == list(expected)

        wait_until(found, lambda: f"{expected}: {self.log.epoch} {numbers(self.log)}")

    def stop(self) -> None:
        """End the carrier, as if its process was killed."""
        self._greenlet.kill()
        self.carrier.close()

    def start(self) -> None:
        """Start another carrier."""
        self.carrier = Carrier(self._connect(), self.log, self.directory, "here", "s")
        self._greenlet = gevent.spawn(self.carrier.run)


@pytest.fixture(name="carried")
def fixture_carried(redis_server: RedisServer, prefix: str, tmp_path: Path) -> Iterator[Carried]:
    """Run a carrier that has copied two events."""
    carried = Carried(redis_server, prefix, tmp_path / "log")
    carried.append(1, 2)
    carried.until_has(1, 2)
    yield carried
    carried.stop()
    carried.log.close()
    carried.stream.close()


def test_the_first_start_is_no_loss(
    redis_server: RedisServer, prefix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty Redis is no reason for a warning if this server has never copied from it."""
    log = CarriedLog(tmp_path / "log", LogLimits(), signature="s")
    client = RedisClient(RedisURL.parse(redis_server.url), TIME_LIMIT)
    stream = RedisStream(client, Keys(prefix), "s")
    before = log.epoch
    copying = gevent.spawn(Carrier(stream, log, tmp_path / "log", "here", "s").run)
    wait_until(lambda: gevent.sleep(0) or log.epoch != before, "the epoch of Redis")
    copying.kill()
    log.close()
    assert caplog.messages == []


def test_the_next_carrier_goes_on(carried: Carried) -> None:
    """From the newest entry of the server."""
    carried.stop()
    carried.append(3)
    carried.start()
    carried.until_has(1, 2, 3)


@pytest.mark.parametrize("mark", [b"", b"e 1 t .", None])
def test_a_carrier_that_was_killed_between_copy_and_mark(
    carried: Carried, mark: bytes | None
) -> None:
    """The bytes of the newest entry are those of Redis, so the epoch goes on."""
    carried.stop()
    path = carried.directory / "carried"
    if mark is None:
        path.unlink()
    else:
        path.write_bytes(mark)
    carried.append(3)
    carried.start()
    carried.until_has(1, 2, 3)


def test_a_carrier_that_was_killed_before_it_copied(carried: Carried) -> None:
    """The copy was begun, and its mark was not written. The epoch goes on."""
    carried.stop()
    (carried.directory / "carried").unlink()
    carried.log.begin(carried.epoch, 0)
    carried.append(3)
    carried.start()
    carried.until_has(1, 2, 3)
    assert carried.stream.look("", 0).epoch == carried.epoch


def test_another_process_copies_meanwhile(
    carried: Carried, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for one that hangs, and has gone on. That is no problem of this process."""
    original, moved = carried.log.copy, [True]

    def copy(epoch: str, after: int, events: Sequence[tuple[str, bytes]]) -> None:
        if moved:
            moved.clear()
            original(epoch, after, events)
        original(epoch, after, events)

    monkeypatch.setattr(carried.log, "copy", copy)
    carried.append(3)
    carried.until_has(1, 2, 3)
    carried.append(4)
    carried.until_has(1, 2, 3, 4)
    assert carried.carrier.problem is None
    assert caplog.messages == []


@pytest.mark.parametrize("with_mark", [True, False])
def test_redis_has_another_history(
    carried: Carried, redis_server: RedisServer, prefix: str, with_mark: bool
) -> None:
    """With the mark, the same bytes do not deceive the carrier; without it, other bytes do not."""
    carried.stop()
    if not with_mark:
        (carried.directory / "carried").unlink()
    event = b"data: 2\n\n" if with_mark else b"data: 9\n\n"
    keys = Keys(prefix)
    redis_server.do("DEL", keys.stream(carried.epoch))
    for position, text in enumerate([b"data: 1\n\n", event], 1):
        value = pack("*", text).decode()
        redis_server.do("XADD", keys.stream(carried.epoch), f"{position}-1", "other tag", value)
    carried.start()
    wait_until(
        lambda: gevent.sleep(0) or carried.stream.look("", 0).epoch != carried.epoch, "a new epoch"
    )


@pytest.mark.parametrize("position", [3, 4])
def test_an_entry_that_does_not_follow(
    carried: Carried,
    redis_server: RedisServer,
    prefix: str,
    position: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A history that has changed behind an open connection is noticed by the next entry.

    So is an entry that is missing. The carrier neither copies on nor asks again and again.
    """
    copied: list[object] = []
    monkeypatch.setattr(carried.log, "copy", lambda *arguments: copied.append(arguments))
    stream = Keys(prefix).stream(carried.epoch)
    redis_server.do("XADD", stream, f"{position}-1", "x:1:0 other:1:0", "1:*data: 3\n\n")
    wait_until(
        lambda: gevent.sleep(0) or carried.stream.look("", 0).epoch != carried.epoch, "a new epoch"
    )
    assert copied == []


def test_entries_that_are_trimmed_between_the_look_and_the_read(
    carried: Carried, redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this server has missed them, so the epoch goes on for all others."""
    carried.stop()
    carried.append(3, 4, 5, 6)
    stream = Keys(prefix).stream(carried.epoch)
    original = RedisStream.read

    def read(self: RedisStream, *arguments: object) -> list[StoredEntry]:
        redis_server.do("XTRIM", stream, "MINID", "5-1")
        return original(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(RedisStream, "read", read)
    carried.start()
    carried.until_has(5, 6)
    assert carried.stream.look("", 0).epoch == carried.epoch


def test_the_files_of_the_copy_are_removed(carried: Carried) -> None:
    """The copy begins anew, with all that Redis has."""
    (carried.directory / "head").unlink()
    carried.log._look_around()
    carried.append(3)
    carried.until_has(1, 2, 3)


def test_large_entries_are_copied_in_smaller_batches(
    carried: Carried, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the memory for an answer is bounded."""
    monkeypatch.setattr(module, "_BATCH_BYTES", 30)
    asked: list[int] = []
    original = carried.carrier._stream.read

    def read(epoch: str, after: int, limit: int, seconds: float) -> list[StoredEntry]:
        asked.append(limit)
        return original(epoch, after, limit, seconds)

    monkeypatch.setattr(carried.carrier._stream, "read", read)
    carried.append(*range(3, 20))
    carried.until_has(*range(1, 20))
    # The read that had begun before may have brought all of them.
    wait_until(lambda: asked, "the next read")
    assert asked[-1] in (2, 3)  # an event has 9 or 10 bytes
    assert max(asked) <= 64


def test_problems_are_logged_once(
    carried: Carried,
    redis_server: RedisServer,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first attempt that fails, and the first one that succeeds again."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    attempts = 0
    original = carried.carrier._stream.look

    def look(*arguments: object) -> object:
        nonlocal attempts
        attempts += 1
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(carried.carrier._stream, "look", look)
    redis_server.do("RENAME", Keys(prefix).meta, Keys(prefix).parcel("meta"))
    redis_server.do("SET", Keys(prefix).meta, "no hash")
    redis_server.do("XADD", Keys(prefix).stream(carried.epoch), "9-1", "wakes", "0:")
    wait_until(lambda: gevent.sleep(0) or attempts > 2, "three attempts")
    assert "WRONGTYPE" in str(carried.carrier.problem)
    redis_server.do("RENAME", Keys(prefix).parcel("meta"), Keys(prefix).meta)
    wait_until(lambda: gevent.sleep(0) or carried.carrier.problem is None, "the copying")
    own = [text for text in caplog.messages if "this server copies" in text]
    assert own.count("this server copies no events from Redis") == 1
    assert own.count("this server copies events from Redis again") == 1
