"""The connection manager registers streams, replaces them, and calls the observers."""

from __future__ import annotations

from typing import Any

from app.services.connection_manager import ConnectionManager
from tests.app.services.conftest import (
    URL,
    RecordingMetrics,
    RecordingTransport,
    assert_consistent,
    maps,
    send,
)


def test_registration(manager: ConnectionManager) -> None:
    """A connect adds the stream to both maps."""
    manager.on_connect("me", "T1", URL + "me")
    assert maps(manager) == ({"me": ("T1", URL + "me")}, {"T1": "me"})
    assert (manager.has_connection("me"), manager.has_connection("you")) == (True, False)


def test_disconnect(manager: ConnectionManager) -> None:
    """A disconnect removes the stream from both maps."""
    manager.on_connect("me", "T1", URL)
    manager.on_disconnect("T1")
    assert maps(manager) == ({}, {})
    assert manager.has_connection("me") is False


def test_token_of(manager: ConnectionManager) -> None:
    """The holder of a request id is the token of its newest stream, until it ends."""
    assert manager.token_of("me") is None
    manager.on_connect("me", "T1", URL)
    manager.on_connect("me", "T2", URL)
    assert (manager.token_of("me"), manager.token_of("T2")) == ("T2", None)
    manager.on_disconnect("T2")
    assert manager.token_of("me") is None


def test_replacement(manager: ConnectionManager, transport: RecordingTransport) -> None:
    """A second stream of a request id replaces the first stream, which is closed."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T2", "/2")
    assert maps(manager) == ({"me": ("T2", "/2")}, {"T2": "me"})
    assert transport.closed == ["T1"]


def test_a_stream_that_left_while_it_connected_is_removed(
    transport: RecordingTransport, metrics: RecordingMetrics
) -> None:
    """A stream that left during its connect, or whose token is made up, is removed again."""
    living = {"leaves", "stays"}
    manager = ConnectionManager(transport, metrics, holds=living.__contains__)
    told: list[str] = []
    manager.register_on_connect(told.append)
    manager.register_on_connect(lambda request_id: living.discard("leaves"))
    manager.register_on_connect(told.append)
    for token in ("leaves", "stays", "forged"):
        manager.on_connect(f"of-{token}", token, URL)
    assert told == ["of-leaves", "of-stays", "of-stays"]
    known = [manager.has_connection(f"of-{token}") for token in ("leaves", "stays", "forged")]
    assert known == [False, True, False]
    assert metrics.calls.count(("closed",)) == 2


def test_the_replaced_stream_is_closed_outside_the_lock(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """The gateway may call back while it closes the old stream; the new one is registered."""
    manager.on_connect("me", "T1", URL)

    def call_back() -> None:
        transport.meanwhile = lambda: None
        assert manager.has_connection("me")
        manager.on_disconnect("T1")
        manager.on_connect("you", "T3", URL)

    transport.meanwhile = call_back
    manager.on_connect("me", "T2", URL)
    assert maps(manager)[1] == {"T2": "me", "T3": "you"}


def test_a_stale_disconnect_is_ignored(manager: ConnectionManager) -> None:
    """A late disconnect of a replaced stream does not touch the new stream."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T2", "/2")
    manager.on_disconnect("T1")
    assert maps(manager) == ({"me": ("T2", "/2")}, {"T2": "me"})


def test_an_unknown_disconnect_is_ignored(
    manager: ConnectionManager, metrics: RecordingMetrics
) -> None:
    """A disconnect of an unknown token changes nothing and is not counted."""
    manager.on_disconnect("nobody")
    assert (maps(manager), metrics.calls) == (({}, {}), [])


def test_the_same_stream_connects_twice(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """A stream that is reported twice stays registered, and is not closed."""
    manager.on_connect("me", "T1", "/1")
    manager.on_connect("me", "T1", "/2")
    assert maps(manager) == ({"me": ("T1", "/2")}, {"T1": "me"})
    assert transport.closed == []


def test_a_token_given_out_twice(manager: ConnectionManager) -> None:
    """If a gateway repeats a token, the later stream has it, and the maps are consistent."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("you", "T1", URL)
    assert maps(manager) == ({"you": ("T1", URL)}, {"T1": "you"})


def test_observers_are_called_in_order(manager: ConnectionManager) -> None:
    """Observers get the request id, one after the other, in the order of their registration."""
    calls: list[tuple[str, str]] = []
    for name in "abc":
        manager.register_on_connect(lambda who, name=name: calls.append((name, who)))  # type: ignore[misc]
    manager.on_connect("me", "T1", URL)
    manager.on_connect("me", "T2", URL)
    assert calls == [("a", "me"), ("b", "me"), ("c", "me")] * 2


def test_observers_are_not_called_for_a_disconnect(manager: ConnectionManager) -> None:
    """A disconnect calls no observer."""
    manager.on_connect("me", "T1", URL)
    calls: list[str] = []
    manager.register_on_connect(calls.append)
    manager.on_disconnect("T1")
    assert calls == []


def test_an_observer_is_called_when_all_is_done(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """An observer finds the stream registered, the old one closed, and the lock free."""
    seen: list[Any] = []

    def observe(request_id: str) -> None:
        assert_consistent(manager)
        seen.append((manager.has_connection(request_id), list(transport.closed)))

    manager.on_connect("me", "T1", URL)
    manager.register_on_connect(observe)
    manager.on_connect("me", "T2", URL)
    assert seen == [(True, ["T1"])]


def test_an_observer_registered_during_a_notification(manager: ConnectionManager) -> None:
    """An observer that is registered by an observer is called from the next connect on."""
    calls: list[str] = []
    manager.register_on_connect(lambda _: manager.register_on_connect(calls.append))
    manager.on_connect("a", "T1", URL)
    assert calls == []
    manager.on_connect("b", "T2", URL)
    assert calls == ["b"]


def test_an_observer_may_call_back(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """An observer may call any method of the manager, because no lock is held."""

    def observe(request_id: str) -> None:
        assert manager.has_connection(request_id)
        assert send(manager, request_id)
        assert send(manager, None)
        if request_id == "me":
            manager.on_connect("you", "T2", URL)
            manager.on_disconnect("T1")

    manager.register_on_connect(observe)
    manager.on_connect("me", "T1", URL)
    assert [token for token, _ in transport.sent] == ["T1", "T2"]
    assert maps(manager)[1] == {"T2": "you"}


def test_connections_are_counted(manager: ConnectionManager, metrics: RecordingMetrics) -> None:
    """Connects, disconnects and open streams are counted; a stale disconnect is not."""
    manager.on_connect("me", "T1", URL)
    manager.on_connect("you", "T2", URL)
    manager.on_connect("me", "T3", URL)
    manager.on_disconnect("T1")
    manager.on_disconnect("T2")
    assert metrics.calls == [
        ("opened",),
        ("active", 1),
        ("opened",),
        ("active", 2),
        ("opened",),
        ("active", 2),
        ("closed",),
        ("active", 1),
    ]
