"""Browsers that come from a server which was faster than this one."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.event_log.brokers import redis_log
from gateway_shim.event_log.brokers.presence import PRESENT_SECONDS
from gateway_shim.event_log.brokers.redis.stream import Pulse
from gateway_shim.event_log.brokers.redis_log import RedisLog
from gateway_shim.event_log.cursor import Cursor
from tests.gateway_shim.event_log.brokers.conftest import ME, OTHER, Known
from tests.gateway_shim.event_log.brokers.fake_stream import AWAY
from tests.gateway_shim.event_log.brokers.sites import Sites, publish
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT, wait_until


def test_a_cursor_of_another_server(known: Known) -> None:
    """Redis is asked if it is not known that the entry exists; many who wait ask once."""
    known.beat(ME, newest=20)
    asked = len(known.stream.seconds)
    assert known.presence.knows(Cursor("e", 20), 0.0)
    assert len(known.stream.seconds) == asked
    known.stream.pulses = [Pulse("e", 30, False, ME, [])]
    greenlets = [gevent.spawn(known.presence.knows, Cursor("e", 30), 0.0) for _ in range(20)]
    gevent.joinall(greenlets, raise_error=True)
    assert all(greenlet.value for greenlet in greenlets)
    assert len(known.stream.seconds) == asked + 1
    assert not known.presence.knows(Cursor("e", 31), 0.0)
    assert not known.presence.knows(Cursor("f", 1), 0.0)


def test_cursors_that_redis_does_not_have(known: Known) -> None:
    """After a new epoch, thousands of browsers come with the old one: those who wait ask once."""
    known.beat(ME, newest=20)
    asked = len(known.stream.seconds)
    known.stream.pulses = [Pulse("e", 20, False, ME, [])]
    known.stream.pause = 0.001
    greenlets = [gevent.spawn(known.presence.knows, Cursor("old", 30), 0.0) for _ in range(20)]
    gevent.joinall(greenlets, raise_error=True)
    assert not any(greenlet.value for greenlet in greenlets)
    assert len(known.stream.seconds) == asked + 2  # one came first, the others meanwhile


def test_a_cursor_after_redis_has_forgotten_the_processes(known: Known) -> None:
    """The question for a cursor may be the first one after that: the others are waited for."""
    known.beat(ME, OTHER)
    known.stream.pulses = [Pulse("e", 10, True, "x", [ME])]
    assert not known.presence.knows(Cursor("e", 30), 0.0)
    assert known.presence.others() == [OTHER]
    known.now += PRESENT_SECONDS + 1
    assert known.beat(ME) == []


def test_a_cursor_while_redis_is_away(known: Known) -> None:
    """The first one who asks finds it out; the others do not wait."""
    known.beat(ME)
    known.stream.pulses = [AWAY]
    asked = len(known.stream.seconds)
    assert not any(known.presence.knows(Cursor("e", 30), 0.0) for _ in range(20))
    assert len(known.stream.seconds) == asked + 1
    assert not known.presence.is_connected


@pytest.mark.parametrize(("position", "expected"), [(30, True), (31, False)])
def test_a_cursor_that_waits_until_redis_is_back(
    known: Known, position: int, expected: bool
) -> None:
    """The first answer of Redis decides. Nobody asks while it is away."""
    known.beat(ME)
    known.fail()
    asked = len(known.stream.seconds)
    cursor = Cursor("e", position)
    waiting = [gevent.spawn(known.presence.knows, cursor, 1000 * TIME_LIMIT) for _ in range(20)]
    known.fail()
    gevent.sleep(0.001)
    assert not any(greenlet.ready() for greenlet in waiting)
    assert len(known.stream.seconds) == asked + 1
    known.beat(ME, newest=30)
    gevent.joinall(waiting, timeout=TIME_LIMIT, raise_error=True)
    assert [greenlet.value for greenlet in waiting] == [expected] * 20
    assert len(known.stream.seconds) == asked + 2


def test_a_cursor_that_waits_for_redis_in_vain(known: Known) -> None:
    """It does not wait longer than it may."""
    known.beat(ME)
    known.fail()
    waiting = gevent.spawn(known.presence.knows, Cursor("e", 30), 0.01)
    assert waiting.get(timeout=TIME_LIMIT) is False


def without_copying(log: RedisLog) -> None:
    """Let a server get no more entries until :func:`copying`."""
    log._greenlets[1].kill()


def copying(log: RedisLog) -> None:
    """Let a server get entries again."""
    log._carrier.close()
    log._greenlets[1] = gevent.spawn(log._carrier.run)


@pytest.mark.needs("redis")
def test_a_cursor_of_an_entry_that_is_on_its_way(redis_server: RedisServer, sites: Sites) -> None:
    """A browser that comes from a faster server waits until the entry is here."""
    here = sites.open("here", redis_server.url)
    there = sites.open("there", redis_server.url)
    without_copying(there)
    publish(here, 1, 1)
    waiting = gevent.spawn(there.reaches, Cursor(here.epoch, 1))
    gevent.sleep(0.01)
    assert there.newest == 0
    copying(there)
    assert waiting.get(timeout=TIME_LIMIT)
    assert there.newest == 1


@pytest.mark.needs("redis")
def test_a_cursor_of_an_entry_that_was_on_its_way_when_redis_died(sites: Sites) -> None:
    """The browser waits for Redis. One with a cursor that no server has given does not."""
    with RedisServer(("--appendonly", "yes", "--appendfsync", "always")) as redis:
        here = sites.open("here", redis.url)
        there = sites.open("there", redis.url)
        without_copying(there)
        publish(here, 1, 1)
        redis.kill()
        waiting = gevent.spawn(there.reaches, Cursor(here.epoch, 1))
        wait_until(lambda: gevent.sleep(0) or not there.read_state().is_connected, "the failure")
        assert not there.reaches(Cursor("other", 1))
        assert not waiting.ready()
        redis.start()
        copying(there)
        assert waiting.get(timeout=TIME_LIMIT)
        assert there.newest == 1


def test_few_browsers_wait_for_entries(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each keeps a handler, which other requests need."""
    monkeypatch.setattr(redis_log, "_MOST_WAITING", 2)
    log = sites.open("a", "unix:///nothing", current=False)
    cursors = [Cursor(log.epoch, number) for number in (1, 2, 3)]
    waiting = [gevent.spawn(log.reaches, cursor) for cursor in cursors]
    assert waiting[2].get(timeout=TIME_LIMIT) is False
    assert not any(greenlet.ready() for greenlet in waiting[:2])
    gevent.killall(waiting)
    again = gevent.spawn(log.reaches, cursors[0])
    gevent.sleep(0.001)
    assert not again.ready()
    again.kill()
