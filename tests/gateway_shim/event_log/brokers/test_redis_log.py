"""Tests of the log of many servers over a real Redis that works."""

from __future__ import annotations

import json
from collections.abc import Callable

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE, NOTES
from gateway_shim.event_log.brokers import presence
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis_log import RedisLog
from gateway_shim.event_log.cursor import Cursor
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers, publish, until_same
from tests.gateway_shim.event_log.recorder import everything
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")

Open = Callable[..., RedisLog]


def test_two_servers_have_one_log(redis_server: RedisServer, sites: Sites) -> None:
    """Both can read what one appends: the same bytes at the same positions."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    assert here.append(EVERYONE, b"data: 1\n\n") == 1
    assert there.append("r:müller", b"data: 2\n\n") == 2
    assert here.append(NOTES, b"\x00note") == 3
    until_same(here, there)
    assert everything(here) == everything(there)
    assert everything(here)[1:] == [
        (1, EVERYONE, _frame(here, 1, b"data: 1\n\n")),
        (2, "r:müller", _frame(here, 2, b"data: 2\n\n")),
        (3, NOTES, b"\x00note"),
    ]


def _frame(log: RedisLog, position: int, event: bytes) -> bytes:
    text = b"id: %b-%d\n%b" % (log.epoch.encode(), position, event)
    return b"%x\r\n%b\r\n" % (len(text), text)


def test_an_event_can_be_read_when_append_returns(redis_server: RedisServer, sites: Sites) -> None:
    """Also with a second process of the server, which is not the carrier."""
    carrier = sites.open("here", redis_server.url)
    worker = sites.open("here", redis_server.url)
    for log in (carrier, worker):
        position = log.append(EVERYONE, b"data: 1\n\n")
        entries = log.read(position - 1, 1)
        assert entries is not None
        assert entries[0].position == position


def test_many_greenlets_append_at_once(redis_server: RedisServer, sites: Sites) -> None:
    """None is lost, none doubled, and those of each greenlet are in its order."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    writers = [
        gevent.spawn(publish, log, 1000 * writer, 60)
        for writer, log in enumerate([here, there] * 5)
    ]
    gevent.joinall(writers, raise_error=True)
    until_same(here, there)
    assert everything(here) == everything(there)
    found = numbers(here)
    assert sorted(found) == sorted(number for writer in writers for number in writer.value)
    for writer in range(10):
        own = [number for number in found if number // 1000 == writer]
        assert own == sorted(own)


def test_a_server_that_comes_later_has_what_redis_keeps(
    redis_server: RedisServer, sites: Sites
) -> None:
    """A browser's cursor is good on a server that has just started."""
    here = sites.open("here", redis_server.url)
    publish(here, 1, 20)
    there = sites.open("there", redis_server.url)
    assert everything(there) == everything(here)
    assert there.reaches(Cursor(here.epoch, 20))
    assert not there.reaches(Cursor(here.epoch, 21))
    assert not there.reaches(Cursor("other", 1))


def test_a_server_goes_on_after_a_restart(redis_server: RedisServer, sites: Sites) -> None:
    """It gets what was appended meanwhile, and its epoch and its entries stay."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    publish(here, 1, 5)
    until_same(here, there)
    before = everything(there)
    sites.close(there)
    publish(here, 6, 5)
    there = sites.open("there", redis_server.url)
    assert everything(there)[:6] == before
    assert numbers(there) == list(range(1, 11))


def test_the_next_process_copies_when_the_carrier_ends(
    redis_server: RedisServer, sites: Sites
) -> None:
    """The lock passes on to another process of the server."""
    carrier = sites.open("here", redis_server.url)
    worker = sites.open("here", redis_server.url)
    publish(worker, 1, 3)
    sites.close(carrier)
    publish(worker, 4, 3)
    assert numbers(worker) == list(range(1, 7))


def test_redis_keeps_a_bounded_number_of_entries(
    redis_server: RedisServer, sites: Sites, prefix: str
) -> None:
    """The stream is trimmed by whole nodes of Redis, of a hundred entries each."""
    here = sites.open("here", redis_server.url, entries=50)
    gevent.joinall([gevent.spawn(publish, here, 0, 50) for _ in range(10)], raise_error=True)
    kept = redis_server.do("XLEN", f"{{{prefix}}}:stream:{here.epoch}")
    assert 50 <= kept < 250


def test_two_environments_in_one_redis(redis_server: RedisServer, sites: Sites) -> None:
    """Each prefix has its own epoch and events."""
    here = sites.open("here", redis_server.url, prefix="one")
    there = sites.open("there", redis_server.url, prefix="two")
    publish(here, 1, 3)
    publish(there, 101, 2)
    assert here.epoch != there.epoch
    assert (numbers(here), numbers(there)) == ([1, 2, 3], [101, 102])
    assert here.others() == there.others() == []


def test_another_form_of_events(redis_server: RedisServer, sites: Sites, prefix: str) -> None:
    """A server with another dialect neither gets nor ends the events of servers that run."""
    here = sites.open("here", redis_server.url)
    there = sites.open("there", redis_server.url, signature="envelope", current=False)
    with pytest.raises(LogUnavailable, match="have another form"):
        there.append(EVERYONE, b"data: 1\n\n")
    wait_until(lambda: gevent.sleep(0) or there.read_state().problem, "the problem")
    assert not there.read_state().is_ready
    assert publish(here, 1, 1) == [1]
    before = here.epoch
    sites.close(here)
    # Nobody uses the events any more.
    wait_until(lambda: publish(there, 2, 1), "an event in the new form")
    # Redis need not keep the old events for ever.
    assert 0 < redis_server.do("TTL", Keys(prefix).stream(before)) <= 60
    assert numbers(there) == [2]


# ------------------------------------------------------------------------- processes


def test_processes_know_each_other(redis_server: RedisServer, sites: Sites) -> None:
    """The names of all processes of all servers; one that ends is gone."""
    here, second = (sites.open("here", redis_server.url) for _ in range(2))
    there = sites.open("there", redis_server.url)
    names = {log.process for log in (here, second, there)}
    assert len(names) == 3
    for log in (here, second, there):
        wait_until(
            lambda log=log: gevent.sleep(0) or {log.process, *log.others()} == names, "all names"
        )
    sites.close(there)
    wait_until(lambda: gevent.sleep(0) or here.others() == [second.process], "the end")


def test_a_process_that_was_killed_is_forgotten(
    redis_server: RedisServer, sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word of farewell, after the time that a sign of life is good for."""
    monkeypatch.setattr(presence, "PULSE_SECONDS", 0.05)
    monkeypatch.setattr(presence, "PRESENT_SECONDS", 1.0)
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    wait_until(lambda: gevent.sleep(0) or here.others(), "the other process")
    gevent.killall(there._greenlets)  # as if its process was gone
    wait_until(lambda: gevent.sleep(0) or not here.others(), "its end")


def test_a_process_is_known_by_its_first_note(redis_server: RedisServer, sites: Sites) -> None:
    """A process that asks as soon as it has started is known before the question is handled."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    note = json.dumps([1, there.process, "question"]).encode()
    there.append(NOTES, note)
    until_same(here, there)
    here.read(here.newest - 1, 1)
    assert here.others() == [there.process]


def test_parcels_go_from_server_to_server(redis_server: RedisServer, sites: Sites) -> None:
    """A parcel can be taken once, on any server."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    name = here.parcels.put(b"x" * 100_000)
    assert there.parcels.take(name) == b"x" * 100_000
    assert there.parcels.take(name) is None


@pytest.mark.parametrize("is_known", [True, False])
def test_a_note_does_not_wait_long_while_redis_is_away(sites: Sites, is_known: bool) -> None:
    """A browser that connects waits for it, and everybody connects again at such times.

    So does the first one after Redis went away, which nobody knows yet.
    """
    log = sites.open("a", "unix:///nothing", current=False)
    wait_until(lambda: gevent.sleep(0) or "no answer" in str(log.read_state().problem), "it")
    event = gevent.spawn(log.append, EVERYONE, b"data: 1\n\n")
    log._presence.is_connected = not is_known
    with pytest.raises(LogUnavailable):  # else the time limit of the test ends it
        log.append(NOTES, b"note")
    assert not event.ready()
    state = log.read_state()
    assert (state.waiting, state.carries) == (1, False)
    event.kill()


def test_one_process_carries(redis_server: RedisServer, sites: Sites, prefix: str) -> None:
    """The state says which one; a loss is counted by the one that copies."""
    first, second = (sites.open("a", redis_server.url) for _ in range(2))
    publish(first, 1, 1)
    wait_until(lambda: gevent.sleep(0) or first.read_state().carries, "the carrier")
    assert not second.read_state().carries
    assert first.read_state().new_epochs == 0
    before = first.epoch
    redis_server.do("DEL", f"{{{prefix}}}:meta")
    publish(first, 2, 1)
    wait_until(lambda: gevent.sleep(0) or first.epoch != before, "the next epoch")
    assert first.read_state().new_epochs == 1
    assert second.read_state().new_epochs == 0


def test_all_processes_of_a_server_that_cannot_copy_are_not_ready(
    redis_server: RedisServer, sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of them tries to copy. They are ready again when copying goes on."""
    monkeypatch.setattr(presence, "PULSE_SECONDS", 0.1)
    monkeypatch.setattr(presence, "STALL_SECONDS", 0.3)
    there = sites.open("there", redis_server.url)
    here = [sites.open("here", redis_server.url) for _ in range(3)]

    def copy(*_: object) -> None:
        raise LogUnavailable("no space left on the disk")

    with monkeypatch.context() as patch:
        for log in here:
            patch.setattr(log._log, "copy", copy)
        publish(there, 1, 1)
        wait_until(
            lambda: gevent.sleep(0) or all(log.read_state().is_stalled for log in here),
            lambda: f"no copy: {[log.read_state() for log in here]}",
        )
        assert not any(log.read_state().is_ready for log in here)
        assert there.read_state().is_ready
    wait_until(
        lambda: gevent.sleep(0) or all(log.read_state().is_ready for log in here),
        lambda: f"all ready: {[log.read_state() for log in here]}",
    )
    until_same(there, *here)
