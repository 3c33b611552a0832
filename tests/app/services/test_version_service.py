"""The versions that browsers are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from app.config import Settings
from app.lifecycle import ShutdownCoordinator
from app.services.connection_manager import ServiceType
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.version_service import Announcement, VersionService
from gateway_shim.event_loop.loop_thread import LoopThread
from gateway_shim.protocol.event_stream import Event
from tests.support.timing import TIME_LIMIT, wait_until

CURRENT = {"version": "current"}

Sent = tuple[str | None, dict[str, Any], str, ServiceType]


class RecordingConnections:
    """A connection manager that records sent events, and calls its observers."""

    def __init__(self) -> None:
        self.observers: list[Callable[[str], None]] = []
        self.sent: list[Sent] = []
        self.outcome: bool | Exception = True
        self.failure = SendOutcome.NO_STREAM
        self.connected: set[str] = set()
        self.age = 0.0

    def register_on_connect(self, callback: Callable[[str], None]) -> None:
        """Record an observer."""
        self.observers.append(callback)

    def send_event(
        self,
        request_id: str | None,
        event_data: dict[str, Any],
        event_name: str,
        service_type: ServiceType,
    ) -> bool:
        """Record an event, and return or raise what the test has set."""
        self.sent.append((request_id, dict(event_data), event_name, service_type))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def send(self, request_id: str | None, event: Event, service_type: ServiceType) -> SendReport:
        """Record an event, and report or raise what the test has set."""
        is_sent = self.send_event(request_id, json.loads(event.data), event.name, service_type)
        return SendReport(SendOutcome.SUCCESS if is_sent else self.failure)

    def has_connection(self, request_id: str) -> bool:
        """Return what the test has set."""
        return request_id in self.connected

    def age_here(self, request_id: str) -> float | None:
        """Return what the test has set."""
        return self.age if request_id in self.connected else None

    def connect(self, request_id: str) -> list[tuple[str | None, dict[str, Any]]]:
        """Connect a stream, and return what is sent because of it."""
        before = len(self.sent)
        for observer in self.observers:
            observer(request_id)
        return [(to, data) for to, data, _, _ in self.sent[before:]]


class FakeSource:
    """A source whose version is cached, or needs a fetch that ends when the test lets it."""

    def __init__(self) -> None:
        self.is_cached = True
        self.fetched = Signal()
        self.fetches = 0

    def cached(self) -> dict[str, Any] | None:
        """Return the version unless it must be fetched."""
        return CURRENT if self.is_cached else None

    def current(self) -> dict[str, Any]:
        """Return the version, after the fetch if it must be fetched."""
        if not self.is_cached:
            self.fetches += 1
            assert self.fetched.wait(TIME_LIMIT)
        return CURRENT


@pytest.fixture
def connections() -> RecordingConnections:
    """Return the fake connection manager."""
    return RecordingConnections()


@pytest.fixture
def coordinator() -> ShutdownCoordinator:
    """Return a coordinator whose shutdown ends the version events."""
    return ShutdownCoordinator(0.0)


@pytest.fixture
def source() -> FakeSource:
    """Return the fake source."""
    return FakeSource()


@pytest.fixture
def service(
    connections: RecordingConnections, coordinator: ShutdownCoordinator, source: FakeSource
) -> VersionService:
    """Return the service under test."""
    settings = Settings(_env_file=None)
    return VersionService(connections, coordinator, settings, source=source)


@pytest.mark.usefixtures("service")
def test_a_connect_gets_the_current_version(connections: RecordingConnections) -> None:
    """A stream that connects gets one version event, as service version."""
    connections.connect("me")
    assert connections.sent == [("me", CURRENT, "version", ServiceType.VERSION)]


def test_without_a_source_the_settings_decide(
    connections: RecordingConnections, coordinator: ShutdownCoordinator
) -> None:
    """Without FRONTEND_VERSION_URL, a stream gets the application's own version."""
    VersionService(connections, coordinator, Settings(_env_file=None))
    ((to, data),) = connections.connect("me")
    assert (to, list(data)) == ("me", ["version"])


def test_a_queued_version_is_broadcast(
    service: VersionService, connections: RecordingConnections
) -> None:
    """A queued version goes to all streams; a changelog only if there is one."""
    assert service.queue_version_event("me", "2") is True
    assert service.queue_version_event("me", "3", changelog="") is True
    assert connections.sent == [
        (None, {"version": "2"}, "version", ServiceType.VERSION),
        (None, {"version": "3", "changelog": ""}, "version", ServiceType.VERSION),
    ]


@pytest.mark.usefixtures("service")
def test_a_connect_does_not_wait_for_the_fetch(
    connections: RecordingConnections, source: FakeSource
) -> None:
    """A connect returns before the fetch; one fetch serves all that wait, each once."""
    source.is_cached = False
    connections.connected = {"a", "b"}
    assert [connections.connect(who) for who in "abca"] == [[]] * 4
    gevent.idle()
    assert (connections.sent, source.fetches) == ([], 1)
    source.fetched.set()
    wait_until(lambda: len(connections.sent) == 2, "the version of those who have stayed")
    assert [(to, data) for to, data, _, _ in connections.sent] == [("a", CURRENT), ("b", CURRENT)]
    connections.connect("b")
    wait_until(lambda: len(connections.sent) == 3, "the version of the next connect")
    assert source.fetches == 2


def test_a_version_queued_during_the_fetch_goes_first(
    service: VersionService, connections: RecordingConnections, source: FakeSource
) -> None:
    """A stream that waits for a fetch does not get an older version after a newer one."""
    source.is_cached = False
    connections.connected = {"me"}
    connections.connect("me")
    service.queue_version_event("me", "2")
    source.fetched.set()
    wait_until(lambda: len(connections.sent) == 2, "both events")
    sent = [(to, data) for to, data, _, _ in connections.sent]
    assert sent == [(None, {"version": "2"}), ("me", {"version": "2"})]


@pytest.mark.usefixtures("service")
def test_a_fetch_that_ends_during_the_shutdown_sends_nothing(
    connections: RecordingConnections, coordinator: ShutdownCoordinator, source: FakeSource
) -> None:
    """A fetch that ends during the shutdown sends no version."""
    source.is_cached = False
    connections.connected = {"me"}
    connections.connect("me")
    coordinator.shutdown()
    source.fetched.set()
    gevent.idle()
    assert connections.sent == []


def test_without_an_event_loop_a_connect_waits(
    service: VersionService,
    connections: RecordingConnections,
    source: FakeSource,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a running event loop, as with flask run, the connect waits for the fetch."""
    monkeypatch.setattr(LoopThread, "serves_here", False)
    source.is_cached = False
    source.fetched.set()
    assert connections.connect("me") == [("me", CURRENT)]


def test_a_broadcast_without_streams_is_not_an_error(
    service: VersionService, connections: RecordingConnections, caplog: pytest.LogCaptureFixture
) -> None:
    """A broadcast without streams logs no error."""
    connections.outcome = False
    assert service.queue_version_event("me", "2") is True
    assert caplog.records == []


@pytest.mark.parametrize(
    ("connected", "outcome", "announcement"),
    [
        ({"me"}, True, Announcement.DELIVERED),
        ({"you"}, True, Announcement.QUEUED),
        (set(), False, Announcement.QUEUED),
        ({"me"}, False, Announcement.QUEUED),
        ({"me"}, RuntimeError("gateway"), Announcement.QUEUED),
    ],
)
def test_an_announcement_says_whether_its_stream_has_got_it(
    service: VersionService,
    connections: RecordingConnections,
    connected: set[str],
    outcome: bool | Exception,
    announcement: Announcement,
) -> None:
    """Delivered means that the request id has a stream, and that the broadcast was taken."""
    connections.connected, connections.outcome = connected, outcome
    assert service.announce("me", "2") is announcement
    connections.outcome = True
    assert connections.connect("me") == [("me", {"version": "2"})]


def test_no_version_events_once_shutdown_has_begun(
    service: VersionService, connections: RecordingConnections, coordinator: ShutdownCoordinator
) -> None:
    """During the shutdown, neither queued versions nor connects cause events."""
    coordinator.shutdown()
    assert service.queue_version_event("me", "2") is False
    assert service.announce("me", "2") is Announcement.REFUSED
    assert connections.connect("me") == []
    assert connections.sent == []
