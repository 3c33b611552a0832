"""The samples that consoles get."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from app.console.operations.feed import FORGET_SECONDS, MAX_WATCHERS, OperationsFeed
from app.errors import TooBusy
from app.services.connection_manager import ConnectionManager
from app.services.connections.service_type import ServiceType
from app.services.metrics_service import NullMetrics
from tests.app.services.conftest import URL, RecordingPublisher, RecordingTransport
from tests.support.peers import PeerGroup
from tests.support.timing import wait_until


class Streams:
    """The registry of streams: those that a test names are connected."""

    def __init__(self, *connected: str) -> None:
        self.connected = set(connected)
        self.sent: list[tuple[str | None, dict[str, Any]]] = []
        self.error: Exception | None = None
        self.gate = Signal()  # cleared: sends wait
        self.gate.set()

    def token_of(self, request_id: str) -> str | None:
        """Return the token of a stream that is connected."""
        return f"token of {request_id}" if request_id in self.connected else None

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType | str,
    ) -> bool:
        """Record a send."""
        assert (event_name, service_type) == ("operations_sample", ServiceType.OPERATIONS)
        self.gate.wait()
        if self.error is not None:
            raise self.error
        self.sent.append((request_id, event_data))
        return request_id in self.connected


class Feed:
    """A feed with a clock that stands still."""

    def __init__(self, streams: Streams) -> None:
        self.now = 0.0
        self.feed = OperationsFeed(streams, lambda: self.now)

    def offer(self, number: int) -> None:
        """Offer a sample, and wait until it was sent."""
        self.feed.offer({"time": number})
        gevent.sleep(0)
        gevent.sleep(0)


def test_each_sample_is_sent_to_those_that_watch() -> None:
    """A stream gets the samples that follow its registration, once each."""
    streams = Streams("a", "b", "c")
    feed = Feed(streams)
    feed.offer(1)
    assert feed.feed.watch("a") is True
    assert feed.feed.watch("b") is True
    assert feed.feed.watch("b") is True
    feed.offer(2)
    assert streams.sent == [("a", {"time": 2}), ("b", {"time": 2})]


def test_a_stream_that_is_gone_is_forgotten_after_a_minute() -> None:
    """A stream that comes back within a minute gets the samples again; then it is forgotten.

    While it is gone it gets none, because another process may have it.
    """
    streams = Streams("a")
    feed = Feed(streams)
    feed.feed.watch("a")
    streams.connected.clear()
    feed.now = FORGET_SECONDS
    feed.offer(1)
    assert len(feed.feed) == 1
    streams.connected.add("a")
    feed.now += FORGET_SECONDS
    feed.offer(2)
    streams.connected.clear()
    feed.now += FORGET_SECONDS + 1
    feed.offer(3)
    assert len(feed.feed) == 0
    assert [data["time"] for _, data in streams.sent] == [2]


def test_a_stream_of_another_process() -> None:
    """The caller learns that the stream is not connected here."""
    assert Feed(Streams()).feed.watch("a") is False


def test_the_number_of_streams_is_limited() -> None:
    """Beyond the limit a stream is refused, unless one that is gone can be forgotten."""
    streams = Streams(*map(str, range(MAX_WATCHERS)))
    feed = Feed(streams)
    for number in range(MAX_WATCHERS):
        feed.feed.watch(str(number))
    with pytest.raises(TooBusy, match="200 browsers watch the figures already"):
        feed.feed.watch("new")
    assert feed.feed.watch("0") is True  # it watches already
    streams.connected.remove("7")
    feed.now = FORGET_SECONDS + 1
    assert feed.feed.watch("new") is False
    assert len(feed.feed) == MAX_WATCHERS


def test_a_slow_send_does_not_queue_samples() -> None:
    """While a send waits, later samples replace each other: only the newest is sent after it."""
    streams = Streams("a")
    feed = Feed(streams)
    feed.feed.watch("a")
    streams.gate.clear()
    for number in (1, 2, 3):
        feed.offer(number)
    streams.gate.set()
    wait_until(lambda: len(streams.sent) == 2, "the sends")
    assert [data["time"] for _, data in streams.sent] == [1, 3]


def test_an_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An error does not end the feed, and is logged only once until it is over."""
    streams = Streams("a")
    feed = Feed(streams)
    feed.feed.watch("a")
    streams.error = RuntimeError("broken")
    feed.offer(1)
    feed.offer(2)
    assert [record.getMessage() for record in caplog.records] == [
        "the samples of the operations page could not be sent"
    ]
    streams.error = None
    feed.offer(3)
    assert [data["time"] for _, data in streams.sent] == [3]
    streams.error = RuntimeError("broken")
    feed.offer(4)
    assert len(caplog.records) == 2


def test_samples_do_not_go_through_the_log() -> None:
    """A sample is sent to its stream, and is not kept for a replay."""
    transport, publisher = RecordingTransport(), RecordingPublisher()
    manager = ConnectionManager(transport, NullMetrics(), publisher=publisher)
    manager.on_connect("me", "T1", URL)
    feed = OperationsFeed(manager)
    assert feed.watch("me") is True
    feed.offer({"time": 1})
    gevent.sleep(0)
    assert [(token, event.name) for token, event in transport.sent] == [("T1", "operations_sample")]
    assert publisher.entries == []


def test_a_stream_of_another_worker() -> None:
    """The worker that has the stream sends to it, whichever worker was asked to."""
    group = PeerGroup()
    here, there = Streams("a"), Streams("b")
    one = OperationsFeed(here, peers=group.join())
    two = OperationsFeed(there, peers=group.join())
    assert one.watch("b") is True
    assert (len(one), len(two)) == (0, 1)
    one.offer({"time": 1})
    two.offer({"time": 1})
    gevent.sleep(0)
    assert (here.sent, there.sent) == ([], [("b", {"time": 1})])
    assert one.watch("gone") is False
    assert (len(one), len(two)) == (1, 1)  # it may connect here soon


def test_another_worker_that_is_full() -> None:
    """The refusal of the worker that has the stream is that of the server."""
    group = PeerGroup()
    there = Streams(*map(str, range(MAX_WATCHERS + 1)))
    one = OperationsFeed(Streams(), peers=group.join())
    two = OperationsFeed(there, peers=group.join())
    for number in range(MAX_WATCHERS):
        two.watch(str(number))
    with pytest.raises(TooBusy, match="close the console in one"):
        one.watch(str(MAX_WATCHERS))
