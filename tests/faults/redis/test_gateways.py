"""Tests of gateways on several servers that share a Redis, with browsers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.event_log.brokers.redis.url import RedisURL
from gateway_shim.event_log.brokers.redis_log import BusOptions, RedisLog
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.protocol.event_stream import Event
from tests.gateway_shim.following_browser import Browser, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("redis")

Gateways = tuple[RunningGateway, RunningGateway]


def gateway(server: RedisServer, prefix: str, directory: Path) -> RunningGateway:
    """Return the gateway of a server, which is not started yet."""

    def open_log() -> RedisLog:
        options = BusOptions(RedisURL.parse(server.url), prefix, TIME_LIMIT)
        log = RedisLog(directory, LogLimits(), "named", options)
        assert log.wait_until_current(TIME_LIMIT)
        return log

    return RunningGateway(open_log=open_log)


@pytest.fixture(name="gateways")
def fixture_gateways(redis_server: RedisServer, prefix: str, tmp_path: Path) -> Iterator[Gateways]:
    """Run two gateways, each of a server of its own."""
    with (
        gateway(redis_server, prefix, tmp_path / "a") as first,
        gateway(redis_server, prefix, tmp_path / "b") as second,
    ):
        yield first, second


def test_one_order(gateways: Gateways) -> None:
    """Whoever publishes: the browsers of both servers get the same events in the same order."""
    browsers = [Browser(one) for one in gateways]

    def publish_all(name: int, running: RunningGateway) -> None:
        publish(running, *(f"{name} {number}" for number in range(25)))

    publishers = [gevent.spawn(publish_all, n, gateways[n % 2]) for n in range(4)]
    gevent.joinall(publishers, TIME_LIMIT, raise_error=True)
    for browser in browsers:
        soon(lambda browser=browser: len(browser.texts) == 100, "all events")
        for name in range(4):
            own = [text for text in browser.texts if text.startswith(f"{name} ")]
            assert own == [f"{name} {number}" for number in range(25)]
    assert browsers[0].texts == browsers[1].texts


def test_publishers_learn_to_how_many_streams(gateways: Gateways) -> None:
    """Of their own server, also if the follower has delivered the event before they know of it."""
    browsers = [Browser(gateways[0]) for _ in range(3)]
    for browser in browsers:
        publish(gateways[0], "first")
        browser.wait_for("first")
    for number in range(50):
        published = gateways[0].gateway.publish(Event("n", str(number)), "*")
        assert published is not None
        assert published.delivered == 3


def test_a_browser_that_moves_in_the_middle_of_a_replay(gateways: Gateways) -> None:
    """Each server goes on where the other one stopped: each event once, and no resync."""
    publish(gateways[0], *map(str, range(60)))
    texts: list[str] = []
    last = ""
    browser = Browser(gateways[0])
    publish(gateways[0], "start")
    last = browser.wait_for("start")[-1].id
    browser.close()
    for turn in range(6):
        # A browser comes at once: the other server may not have the event yet that it names.
        browser = Browser(gateways[turn % 2], last)
        publish(gateways[turn % 2], f"{turn} a", f"{turn} b")
        blocks = browser.wait_for(f"{turn} b")
        texts += browser.texts
        last = [block for block in blocks if block.id][-1].id
        assert [block for block in blocks if block.name == "resync"] == []
        browser.close()
    assert texts == [f"{turn} {part}" for turn in range(6) for part in "ab"]


def test_redis_loses_everything(tmp_path: Path, prefix: str) -> None:
    """Each browser of both servers is told exactly once, and gets what comes then."""
    with (
        RedisServer() as server,
        gateway(server, prefix, tmp_path / "a") as first,
        gateway(server, prefix, tmp_path / "b") as second,
    ):
        browsers = [Browser(first), Browser(second)]
        publish(first, "1")
        for browser in browsers:
            browser.wait_for("1")
        server.do("FLUSHALL")
        publish(second, "2")
        publish(first, "3")
        for browser in browsers:
            browser.wait_for("3")
            names = [block.name for block in browser.blocks]
            assert names.count("resync") == 1
            # The event that found out the loss may be part of what the resync stands for.
            assert browser.texts in (["1", "2", "3"], ["1", "3"])


def test_a_server_that_falls_behind_what_redis_keeps(
    redis_server: RedisServer, prefix: str, gateways: Gateways
) -> None:
    """Its browsers are told once, those of the other server are not, and both go on."""
    first, second = gateways
    browsers = [Browser(first), Browser(second)]
    publish(first, "1")
    for browser in browsers:
        browser.wait_for("1")
    log = second.gateway._following._log  # type: ignore[union-attr]
    assert isinstance(log, RedisLog)
    copying = log._greenlets[1]
    copying.kill()  # as if the carrier's machine was cut off
    log._carrier.close()
    publish(first, *map(str, range(2, 12)))
    stream = f"{{{prefix}}}:stream:{log.epoch}"
    redis_server.do("XTRIM", stream, "MAXLEN", "=", 3)
    log._greenlets[1] = gevent.spawn(log._carrier.run)
    soon(lambda: second.stats.resyncs["lagging"] == 1, "the resync")
    publish(second, "12")
    for browser in browsers:
        browser.wait_for("12")
    names = [block.name for block in browsers[1].blocks]
    assert names.count("resync") == 1
    assert browsers[0].texts == [str(number) for number in range(1, 13)]
    positions = [int(block.id.partition("-")[2]) for block in browsers[1].blocks if block.id]
    assert all(before <= after for before, after in itertools.pairwise(positions))


def test_servers_ask_each_other(gateways: Gateways) -> None:
    """Also for what is too large for an entry."""
    first, second = gateways
    second.gateway.peers.when_asked("size", lambda size: "x" * size)
    soon(lambda: first.gateway.peers.are_there, "the other server")
    for size in (10, 200_000):
        (answer,) = first.gateway.peers.ask("size", size, seconds=TIME_LIMIT)
        assert answer.process == second.gateway.peers.process
        assert answer.data == "x" * size
