"""Tests of two gateways over one log in files, as the workers of one server have it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments.layout import segment_name
from gateway_shim.event_log.segments.segment_log import SegmentLog
from tests.gateway_shim.following_browser import Block, Browser, publish
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.timing import TIME_LIMIT

SIZE = 1 << 18


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[tuple[RunningGateway, RunningGateway]]:
    """Return two gateways, each with the log as a process of its own would have it."""

    def open_log() -> SegmentLog:
        return SegmentLog(tmp_path / "log", LogLimits(SIZE), signature="named")

    with RunningGateway(open_log=open_log) as first, RunningGateway(open_log=open_log) as second:
        yield first, second


def events_of(browser: Browser) -> list[Block]:
    """Return the events ``n`` that have arrived."""
    return [block for block in browser.blocks if block.name == "n"]


def positions_of(browser: Browser) -> list[int]:
    """Return the positions of these events."""
    return [int(block.id.partition("-")[2]) for block in events_of(browser)]


def test_one_order(gateways: tuple[RunningGateway, RunningGateway]) -> None:
    """Whoever publishes: the browsers of both get the same events in the same order."""
    first, second = gateways
    browsers = [Browser(first), Browser(second)]
    for number in range(50):
        publish(gateways[number % 2], str(number))
    for browser in browsers:
        browser.wait_for("49")
        assert browser.texts == [str(number) for number in range(50)]
    assert events_of(browsers[0]) == events_of(browsers[1])


def test_many_publishers(gateways: tuple[RunningGateway, RunningGateway]) -> None:
    """Publishers of both at the same time: each event once, in one order, and each one's own."""
    browsers = [Browser(one) for one in gateways]

    def publish_all(name: str, running: RunningGateway) -> None:
        for number in range(30):
            publish(running, f"{name} {number}")
            gevent.sleep(0)

    publishers = [
        gevent.spawn(publish_all, f"{number}", gateways[number % 2]) for number in range(8)
    ]
    for publisher in publishers:
        publisher.get(timeout=TIME_LIMIT)
    for browser in browsers:
        soon(lambda browser=browser: len(browser.texts) == 240, "all events")
        assert positions_of(browser) == list(range(1, 241))
        own = [[text for text in browser.texts if text.startswith(f"{n} ")] for n in range(8)]
        assert own == [[f"{n} {number}" for number in range(30)] for n in range(8)]
    assert browsers[0].texts == browsers[1].texts


def test_reload(gateways: tuple[RunningGateway, RunningGateway]) -> None:
    """A browser that moves to the other gateway gets what it has missed, once."""
    first, second = gateways
    browser = Browser(first)
    publish(first, "1", "2")
    last = browser.wait_for("2")[-1].id
    browser.close()
    publish(second, "3")
    publish(first, "4")
    moved = Browser(second, last)
    publish(first, "5")
    moved.wait_for("5")
    assert moved.texts == ["3", "4", "5"]
    assert [block for block in moved.blocks if block.name == "resync"] == []


def test_slow_reader(gateways: tuple[RunningGateway, RunningGateway]) -> None:
    """While another gateway trims, a stream that is stuck in an entry gets the rest of it."""
    first, second = gateways
    slow = Browser(second, send_buffer=4096)
    numbers = itertools.count()
    while second.stats.resyncs["lagging"] == 0:
        for _ in range(20):
            publish(first, f"{next(numbers)} {'x' * 3000}")
        gevent.sleep(0.001)
        if first.gateway.read_stats().log.oldest > 200:  # type: ignore[union-attr]
            slow.read()
    publish(first, "end")
    slow.wait_for("end")
    names = [block.name for block in slow.blocks if block.name]
    gaps = [
        (before, after)
        for before, after in itertools.pairwise(positions_of(slow))
        if after != before + 1
    ]
    assert names.count("resync") == second.stats.resyncs["lagging"]
    assert len(gaps) <= names.count("resync")
    assert positions_of(slow) == sorted(set(positions_of(slow)))


def test_damaged_log(gateways: tuple[RunningGateway, RunningGateway], tmp_path: Path) -> None:
    """A damaged entry reaches nobody; the browsers of both are told once, and go on."""
    first, second = gateways
    browsers = [Browser(first), Browser(second)]
    publish(first, "1")
    for browser in browsers:
        browser.wait_for("1")
    epoch = browsers[0].blocks[-1].id.partition("-")[0]
    path = tmp_path / "log" / segment_name(epoch, 0)
    with path.open("r+b") as file:
        # Behind the committed entries: the next entry is written by this process, and is changed
        # before the other one has read it.
        publish_later = gevent.spawn(publish, first, "2")
        gevent.sleep(0)
        file.seek(path.read_bytes().index(b"data: 2"))
        file.write(b"X")
        file.flush()
        publish_later.get(timeout=TIME_LIMIT)
    for one in gateways:
        soon(lambda one=one: one.stats.resyncs["unknown"] == 1, "the gateway to notice")
    publish(second, "3")
    publish(first, "4")
    for browser in browsers:
        browser.wait_for("4")
        assert [block.name for block in browser.blocks].count("resync") == 1
        assert browser.texts[-2:] == ["3", "4"]
    assert "2" not in browsers[1].texts
