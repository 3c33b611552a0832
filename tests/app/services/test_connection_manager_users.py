"""A stream that belongs to a user can be replaced only by the same user."""

from __future__ import annotations

import pytest

from app.services.connection_manager import ConnectionManager, HeldByAnotherUser
from app.services.metrics_service import NullMetrics
from tests.app.services.conftest import (
    URL,
    RecordingMetrics,
    RecordingTransport,
    assert_consistent,
    maps,
)


@pytest.mark.parametrize("other", ["bob", "Ann", None])
def test_another_user_cannot_replace_a_stream(
    manager: ConnectionManager,
    transport: RecordingTransport,
    metrics: RecordingMetrics,
    other: str | None,
) -> None:
    """While a user's stream is open, another user cannot have its request id; nothing changes."""
    manager.on_connect("me", "T1", "/1", "ann")
    before, told = maps(manager), list(metrics.calls)
    observed: list[str] = []
    manager.register_on_connect(observed.append)
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T2", "/2", other)
    assert (maps(manager), metrics.calls, transport.closed, observed) == (before, told, [], [])
    manager.on_connect("me", "T3", "/3", "ann")
    assert (transport.closed, manager.token_of("me"), observed) == (["T1"], "T3", ["me"])
    manager.on_disconnect("T3")
    manager.on_connect("me", "T4", "/4", other)
    assert (manager.token_of("me"), transport.closed) == ("T4", ["T1"])
    assert_consistent(manager)


def test_a_stream_without_a_user_can_be_replaced(manager: ConnectionManager) -> None:
    """A stream without a user can be replaced by any stream with its request id."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T2", "/2", "ann")
    assert manager.token_of("me") == "T2"
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T3", "/3")


def test_a_repeated_token_does_not_keep_its_user(manager: ConnectionManager) -> None:
    """The request id that a repeated token had before no longer belongs to a user."""
    manager.on_connect("me", "T1", "/1", "ann")
    manager.on_connect("you", "T1", "/1", "bob")
    assert_consistent(manager)
    manager.on_connect("me", "T2", "/2", "bob")
    assert maps(manager)[1] == {"T1": "you", "T2": "me"}


def test_a_stream_that_never_opened_can_be_replaced(transport: RecordingTransport) -> None:
    """A stream whose browser left during its connect does not block its request id."""
    alive = {"T1", "T2"}
    manager = ConnectionManager(transport, NullMetrics(), holds=alive.__contains__)
    manager.on_connect("me", "T1", "/1", "ann")
    with pytest.raises(HeldByAnotherUser):
        manager.on_connect("me", "T2", "/2", "bob")
    alive.remove("T1")
    manager.on_connect("me", "T2", "/2", "bob")
    assert manager.token_of("me") == "T2"


def test_many_streams_of_one_user(manager: ConnectionManager) -> None:
    """The name of a user is stored once, however many streams the user has."""
    for number in range(3):
        manager.on_connect(f"r{number}", f"T{number}", URL, "".join(["a", "nn", str(7)]))
    assert len({id(user) for user in manager._registry._users.values()}) == 1
