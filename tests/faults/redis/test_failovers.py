"""Tests of a Redis that goes on elsewhere, with all of the events or without some."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import gevent
import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers import carrier
from tests.faults.redis.losses import connect_to, exactly_one_new_epoch
from tests.gateway_shim.event_log.brokers.sites import Sites, numbers, publish, until_same
from tests.support.http.relay import Relay
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")


@contextlib.contextmanager
def two_servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Run a Redis and its replica, which has everything."""
    with RedisServer(with_port=True) as primary, RedisServer(with_port=True) as replica:
        replica.do("REPLICAOF", "127.0.0.1", primary.port)
        until_replicated(primary, replica)
        yield primary, replica


def until_replicated(primary: RedisServer, replica: RedisServer) -> None:
    """Wait until a replica has what its primary has."""

    def offsets() -> bool:
        there = replica.do("INFO", "replication")
        is_up = there.get("master_link_status") == "up"
        here = primary.do("INFO", "replication")["master_repl_offset"]
        return is_up and there["slave_repl_offset"] == here

    wait_until(offsets, "the replica")


def test_a_failover_that_loses_nothing(sites: Sites) -> None:
    """The replica has everything: the epoch goes on there."""
    with two_servers() as (primary, replica), Relay(connect_to(primary)) as relay:
        here, there = (sites.open(name, f"redis://127.0.0.1:{relay.port}") for name in "ab")
        epoch = here.epoch
        publish(here, 1, 5)
        until_same(here, there)
        until_replicated(primary, replica)
        replica.do("REPLICAOF", "NO", "ONE")
        primary.kill()
        relay.connect = connect_to(replica)
        relay.cut()
        publish(there, 6, 5)
        until_same(here, there)
        assert here.epoch == epoch
        assert numbers(here) == list(range(1, 11))


def test_a_failover_with_a_lost_tail(sites: Sites) -> None:
    """The replica misses the newest events, and has others in their places: a new epoch."""
    with two_servers() as (primary, replica), Relay(connect_to(primary)) as relay:
        here, there = (sites.open(name, f"redis://127.0.0.1:{relay.port}") for name in "ab")
        publish(here, 1, 5)
        until_replicated(primary, replica)
        replica.do("REPLICAOF", "NO", "ONE")
        publish(here, 6, 3)  # the tail
        with exactly_one_new_epoch(here, there):
            relay.connect = connect_to(replica)
            relay.cut()
            publish(there, 101, 5)
            publish(here, 201, 5)
        assert not set(numbers(here)) & {6, 7, 8}


def test_a_replica(sites: Sites) -> None:
    """A server that is given a replica neither copies from it nor is ready, and says why."""
    with two_servers() as (primary, replica):
        here = sites.open("here", primary.url)
        publish(here, 1, 3)
        until_replicated(primary, replica)
        there = sites.open("there", replica.url, current=False)
        wait_until(lambda: gevent.sleep(0) or there._carrier.problem, "the problem")
        assert "name the primary" in str(there._carrier.problem)
        assert numbers(there) == []
        assert not there.read_state().is_ready


def test_a_primary_that_becomes_a_replica(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections stay, and the server behind them has another history."""
    monkeypatch.setattr(carrier, "BLOCK_SECONDS", 0.3)
    with two_servers() as (primary, replica):
        here, there = (sites.open(name, primary.url, seconds=2.0) for name in ("here", "there"))
        publish(here, 1, 5)
        until_same(here, there)
        until_replicated(primary, replica)
        replica.do("REPLICAOF", "NO", "ONE")
        other = sites.open("other", replica.url)
        publish(here, 6, 2)
        publish(other, 101, 9)
        until_same(here, there)
        with exactly_one_new_epoch(here, there):
            primary.do("REPLICAOF", "127.0.0.1", replica.port)
            until_replicated(replica, primary)
            with pytest.raises(LogUnavailable, match="replica"):
                here.append(EVERYONE, b"data: 8\n\n")
            primary.do("REPLICAOF", "NO", "ONE")
            wait_until(lambda: publish(here, 9, 1), "the primary")
