"""Tests of servers that share a Redis when the way to it fails: nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers import carrier, redis_log
from tests.faults.redis.losses import connect_to, publishing, until_more
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers, publish, until_same
from tests.gateway_shim.event_log.recorder import everything
from tests.support.http.relay import Relay
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")


@pytest.fixture(name="relay")
def fixture_relay(redis_server: RedisServer) -> Iterator[Relay]:
    """Run a relay to the Redis that tests share."""
    with Relay(connect_to(redis_server)) as relay:
        yield relay


def test_answers_that_are_lost(redis_server: RedisServer, sites: Sites, relay: Relay) -> None:
    """Each fifth answer to an append is lost after Redis has carried it out."""
    here = sites.open("here", f"redis://127.0.0.1:{relay.port}")
    there = sites.open("there", redis_server.url)
    epoch, appended = here.epoch, []
    relay.drop_after = b"data: "  # an append, and nothing else
    for number in range(40):
        relay.drop_answers = int(number % 5 == 0)
        appended += publish(here, number, 1)
    assert relay.drop_answers == 0
    assert relay.connections > 8
    until_same(here, there)
    assert numbers(here) == numbers(there) == appended == list(range(40))
    assert there.epoch == epoch


def test_connections_that_break(redis_server: RedisServer, sites: Sites, relay: Relay) -> None:
    """All connections of a server are cut again and again under load."""
    here = sites.open("here", f"redis://127.0.0.1:{relay.port}")
    there = sites.open("there", redis_server.url)
    epoch = here.epoch
    with publishing(here) as appended, publishing(there, 1) as others:
        for _ in range(6):
            until_more(appended, 20)
            relay.cut()
    until_same(here, there)
    assert here.epoch == epoch
    assert sorted(numbers(here)) == sorted(appended + others)
    assert everything(here) == everything(there)


def test_a_half_open_connection(
    redis_server: RedisServer, sites: Sites, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that go silent are given up; what was on its way is repeated."""
    monkeypatch.setattr(redis_log, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(redis_log, "SOCKET_SECONDS", 0.8)
    monkeypatch.setattr(carrier, "BLOCK_SECONDS", 0.5)
    here = sites.open("here", f"redis://127.0.0.1:{relay.port}")
    there = sites.open("there", redis_server.url)
    epoch = here.epoch
    publish(here, 1, 3)
    relay.go_silent()
    publish(there, 4, 3)
    publish(here, 7, 3)
    until_same(here, there)
    assert here.epoch == epoch
    assert numbers(here) == list(range(1, 10))


def test_redis_is_away(sites: Sites, tmp_path: Path) -> None:
    """Appends fail after their time, replay goes on, and a server that starts opens."""
    with RedisServer(["--appendonly", "yes"]) as server:
        here = sites.open("here", server.url, seconds=0.4)
        there = sites.open("there", server.url)
        publish(here, 1, 3)
        until_same(here, there)
        before, epoch = everything(there), there.epoch
        server.kill()
        with pytest.raises(LogUnavailable, match="gives no answer"):
            here.append(EVERYONE, b"data: 4\n\n")
        sites.close(there)
        there = sites.open("there", server.url, current=False)
        assert not there.wait_until_current(0.1)
        assert everything(there) == before
        state = there.read_state()
        assert not state.is_ready
        assert "gives no answer" in str(state.problem)
        new = sites.open("new", server.url, current=False)
        assert numbers(new) == []
        server.start()
        wait_until(lambda: publish(here, 5, 1), "Redis")
        until_same(here, there, new)
        assert there.epoch == epoch
        assert numbers(there) == numbers(new) == [1, 2, 3, 5]
        wait_until(lambda: gevent.sleep(0) or there.read_state().is_ready, "readiness")
