"""Registered streams."""

from __future__ import annotations

import sys

from app.services.connection_manager import ConnectionManager
from app.services.connections.registered import Registered
from tests.app.services.conftest import URL, RecordingMetrics, RecordingTransport


def test_the_list(transport: RecordingTransport, metrics: RecordingMetrics) -> None:
    """The list has each stream with its token, its URL and the time of its connect."""
    now = [5.0]
    manager = ConnectionManager(transport, metrics, clock=lambda: now[0])
    manager.on_connect("me", "T1", URL + "me")
    now[0] = 7.0
    manager.on_connect("you", "T2", URL + "you")
    manager.on_connect("me", "T3", URL + "me")
    assert manager.registered() == [
        ("me", Registered("T3", URL + "me", 7.0)),
        ("you", Registered("T2", URL + "you", 7.0)),
    ]


def test_the_size() -> None:
    """The time takes no more memory than its number: a tuple of two is as large as one of three."""
    assert sys.getsizeof(Registered("T", "/", 1.0)) <= 64
