"""The pending version of a request id: it is kept, replaced, bounded, and never lost."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from app.config import Settings
from app.lifecycle import ShutdownCoordinator
from app.services.connections.send_outcome import SendOutcome
from app.services.frontend_version import pending
from app.services.version_service import RECENT_SECONDS, Announcement, VersionService
from tests.app.services.test_version_service import (
    CURRENT,
    FakeSource,
    RecordingConnections,
    connections,
    coordinator,
    service,
    source,
)
from tests.support.peers import PeerGroup

__all__ = ["connections", "coordinator", "service", "source"]


def test_a_pending_version_persists(
    service: VersionService, connections: RecordingConnections
) -> None:
    """A pending version is kept after it is sent: each connect of its request id gets it."""
    service.queue_version_event("me", "2", "new")
    expected = [("me", {"version": "2", "changelog": "new"})]
    assert [connections.connect("me") for _ in range(3)] == [expected] * 3


def test_a_pending_version_belongs_to_one_request_id(
    service: VersionService, connections: RecordingConnections
) -> None:
    """Another request id gets the current version."""
    service.queue_version_event("me", "2")
    assert connections.connect("you") == [("you", CURRENT)]


def test_the_last_pending_version_wins(
    service: VersionService, connections: RecordingConnections
) -> None:
    """A later pending version replaces the earlier one, including its changelog."""
    service.queue_version_event("me", "2", "old")
    service.queue_version_event("me", "3")
    assert connections.connect("me") == [("me", {"version": "3"})]


def test_a_version_is_pending_before_it_is_broadcast(
    service: VersionService, connections: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that connects during the broadcast gets the version."""
    seen: list[Any] = []

    def send_event(to: str | None, data: dict[str, Any], *_: object) -> bool:
        seen.append((to, data))
        if to is None:
            connections.observers[0]("me")
        return True

    monkeypatch.setattr(connections, "send_event", send_event)
    service.queue_version_event("me", "2")
    assert seen == [(None, {"version": "2"}), ("me", {"version": "2"})]


def test_pending_versions_are_bounded(
    service: VersionService, connections: RecordingConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that was not used for the longest time is dropped first."""
    monkeypatch.setattr(pending, "MAX_PENDING", 3)
    for request_id in ("a", "b", "c"):
        service.queue_version_event(request_id, f"for {request_id}")
    service.queue_version_event("a", "for a again")
    connections.connect("b")
    service.queue_version_event("d", "for d")
    versions = {who: connections.connect(who)[0][1]["version"] for who in "abcd"}
    assert versions == {"a": "for a again", "b": "for b", "c": "current", "d": "for d"}


@pytest.mark.parametrize("outcome", [False, RuntimeError("gateway")])
def test_a_failed_send_is_an_error_and_loses_nothing(
    service: VersionService,
    connections: RecordingConnections,
    caplog: pytest.LogCaptureFixture,
    outcome: bool | Exception,
) -> None:
    """A failed send is logged with its request id; the next connect gets the version."""
    service.queue_version_event("me", "2")
    connections.outcome, connections.failure = outcome, SendOutcome.ERROR
    connections.connect("me")
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [vars(record)["request_id"] for record in errors] == ["me"]
    connections.outcome = True
    assert connections.connect("me") == [("me", {"version": "2"})]


def test_a_stream_that_has_ended_meanwhile_is_no_error(
    service: VersionService, connections: RecordingConnections, caplog: pytest.LogCaptureFixture
) -> None:
    """A browser that has left, or has connected again, gets the version at its next connect."""
    service.queue_version_event("me", "2")
    connections.outcome, connections.failure = False, SendOutcome.NO_STREAM
    connections.connect("me")
    assert caplog.records == []
    connections.outcome = True
    assert connections.connect("me") == [("me", {"version": "2"})]


def test_a_version_that_the_log_did_not_take(
    service: VersionService, connections: RecordingConnections
) -> None:
    """The caller learns that no browser gets the version, except one that connects with its id."""
    connections.outcome, connections.failure = False, SendOutcome.ERROR
    assert service.announce("me", "2") is Announcement.LOST
    connections.outcome = True
    assert connections.connect("me") == [("me", {"version": "2"})]


def test_a_failed_broadcast_is_still_queued(
    service: VersionService, connections: RecordingConnections, caplog: pytest.LogCaptureFixture
) -> None:
    """A version whose broadcast failed is accepted, and sent at the next connect."""
    connections.outcome = RuntimeError("gateway")
    assert service.queue_version_event("me", "2") is True
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    connections.outcome = True
    assert connections.connect("me") == [("me", {"version": "2"})]


def test_a_version_that_another_process_keeps(
    connections: RecordingConnections, coordinator: ShutdownCoordinator, source: FakeSource
) -> None:
    """Each later connect gets it. A stream that is just connecting is sent it at once."""
    group = PeerGroup()
    settings = Settings(_env_file=None)
    VersionService(connections, coordinator, settings, source=source, peers=group.join())
    there = VersionService(
        RecordingConnections(), ShutdownCoordinator(0), settings, source=source, peers=group.join()
    )
    there.queue_version_event("me", "2")
    assert connections.sent == []
    assert connections.connect("me") == [("me", {"version": "2"})]
    connections.connected = {"me"}
    there.queue_version_event("me", "3")
    assert connections.sent[-1][:2] == ("me", {"version": "3"})
    connections.age = RECENT_SECONDS
    there.queue_version_event("me", "4")  # this stream has got the broadcast
    assert connections.sent[-1][:2] == ("me", {"version": "3"})
    assert connections.connect("me") == [("me", {"version": "4"})]
