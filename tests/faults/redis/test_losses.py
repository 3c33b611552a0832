"""Tests of a Redis that loses events, or refuses them: counted, or one new epoch."""

from __future__ import annotations

import contextlib

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers import carrier
from tests.faults.redis.losses import exactly_one_new_epoch, publishing, until_more
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers, publish, until_same
from tests.gateway_shim.event_log.recorder import everything
from tests.support.processes.redis_server import RedisServer

pytestmark = pytest.mark.needs("redis")


def test_redis_is_killed_and_has_its_file(sites: Sites) -> None:
    """With the append-only file nothing that was acknowledged is lost, and nothing is doubled."""
    with RedisServer(["--appendonly", "yes", "--appendfsync", "everysec"]) as server:
        here, there = (sites.open(name, server.url) for name in ("here", "there"))
        epoch = here.epoch
        with publishing(here) as appended, publishing(there, 1) as others:
            for _ in range(2):
                until_more(appended)
                server.kill()
                server.start()
            until_more(appended)
        until_same(here, there)
        assert here.epoch == epoch
        assert sorted(numbers(here)) == sorted(appended + others)
        assert everything(here) == everything(there)


def test_redis_is_killed_and_has_no_file(sites: Sites) -> None:
    """Then everything is lost, and one new epoch begins."""
    with RedisServer() as server:
        here, there = (sites.open(name, server.url) for name in ("here", "there"))
        with exactly_one_new_epoch(here, there), publishing(here) as appended:
            until_more(appended)
            server.kill()
            server.start()
            until_more(appended)
        assert set(numbers(there)) <= set(appended)


@pytest.mark.parametrize("publishes", [True, False])
def test_flushall(sites: Sites, monkeypatch: pytest.MonkeyPatch, publishes: bool) -> None:
    """Somebody empties Redis: found by the next append, or by the next look."""
    monkeypatch.setattr(carrier, "BLOCK_SECONDS", 0.3)
    with RedisServer() as server:
        here, there = (sites.open(name, server.url) for name in ("here", "there"))
        publish(here, 1, 3)
        with exactly_one_new_epoch(here, there):
            server.do("FLUSHALL")
            if publishes:
                assert publish(here, 4, 1) == [4]
        assert numbers(there) == [4] * publishes


@pytest.mark.parametrize("key", ["meta", "stream"])
def test_one_key_is_evicted(redis_server: RedisServer, sites: Sites, prefix: str, key: str) -> None:
    """Redis removes one of the keys for lack of memory: found by the next append."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    publish(here, 1, 3)
    name = f"{{{prefix}}}:{key}" + (f":{here.epoch}" if key == "stream" else "")
    with exactly_one_new_epoch(here, there):
        assert redis_server.do("DEL", name) == 1
        assert publish(there, 4, 1) == [4]
    assert numbers(here) == [4]


def test_eviction_under_load(sites: Sites) -> None:
    """A Redis that evicts keys has fewer events, and every loss is told on all servers."""
    options = ["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-random"]
    with RedisServer(options) as server:
        here, there = (sites.open(name, server.url) for name in ("here", "there"))
        publish(here, 1, 3)
        epoch, number = here.epoch, 10
        while here.epoch == epoch:
            with contextlib.suppress(Exception):  # it may have nothing to evict but buffers
                server.do("SET", f"other-{number}", "x" * 100_000)
            publish(here, number, 1)
            number += 1
        until_same(here, there)


def test_out_of_memory(sites: Sites) -> None:
    """Without eviction, appends are refused at once and loudly; then the epoch goes on."""
    with RedisServer(["--maxmemory-policy", "noeviction"]) as server:
        here, there = (sites.open(name, server.url) for name in ("here", "there"))
        publish(here, 1, 2)
        epoch = here.epoch
        server.do("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(LogUnavailable, match=r"maxmemory: raise it.*was not appended"):
            here.append(EVERYONE, b"data: 3\n\n")
        assert "maxmemory" in str(here.read_state().problem)
        server.do("CONFIG", "SET", "maxmemory", 0)
        publish(here, 4, 1)
        until_same(here, there)
        assert here.epoch == epoch
        assert numbers(there) == [1, 2, 4]
        assert here.read_state().problem is None


def test_entries_that_were_trimmed_while_a_server_was_away(
    redis_server: RedisServer, sites: Sites, prefix: str
) -> None:
    """Its own streams are told, and the epoch goes on; the other server notices nothing."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    publish(here, 1, 10)
    until_same(here, there)
    epoch, position = there.epoch, there.newest
    sites.close(there)
    publish(here, 11, 10)
    stream = f"{{{prefix}}}:stream:{epoch}"
    assert redis_server.do("XTRIM", stream, "MAXLEN", "=", 3) == 18
    there = sites.open("there", redis_server.url)
    assert there.epoch == here.epoch == epoch
    assert there.read(position, 1) is None
    assert numbers(there) == [18, 19, 20]
    assert numbers(here) == list(range(1, 21))
    publish(there, 21, 1)
    until_same(here, there)
    assert there.read(position, 1) is None


def test_entries_that_were_trimmed_without_a_gap(
    redis_server: RedisServer, sites: Sites, prefix: str
) -> None:
    """The server has all entries but those that come next, so nothing is lost."""
    here, there = (sites.open(name, redis_server.url) for name in ("here", "there"))
    publish(here, 1, 10)
    until_same(here, there)
    sites.close(there)
    publish(here, 11, 3)
    redis_server.do("XTRIM", f"{{{prefix}}}:stream:{here.epoch}", "MAXLEN", "=", 3)
    there = sites.open("there", redis_server.url)
    assert numbers(there) == numbers(here) == list(range(1, 14))
