"""The ends of a replaced stream, and of a stream that connects during the shutdown."""

from __future__ import annotations

import logging

import pytest

from app.services.connection_manager import ConnectionManager
from app.services.gateway_transport import TransportError
from gateway_shim.protocol.event_stream import Event
from tests.app.services.conftest import (
    URL,
    RecordingTransport,
    assert_consistent,
    maps,
)


@pytest.mark.parametrize("failure", [TransportError("down"), RuntimeError("surprise")])
def test_closing_is_best_effort(
    manager: ConnectionManager,
    transport: RecordingTransport,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    """A close that fails is logged as a warning; the new stream is registered and observed."""
    connected: list[str] = []
    manager.register_on_connect(connected.append)
    manager.on_connect("me", "T1", URL)

    def fail() -> None:
        raise failure

    transport.meanwhile = fail
    manager.on_connect("me", "T2", URL)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [(vars(record)["request_id"], vars(record)["token"]) for record in warnings] == [
        ("me", "T1")
    ]
    assert (connected, maps(manager)[1]) == (["me", "me"], {"T2": "me"})


def test_a_stream_that_connects_after_the_drain_is_ended(
    manager: ConnectionManager, transport: RecordingTransport
) -> None:
    """A stream that connects after the drain gets the last event and is closed."""
    manager.drain(Event("bye", "1"), 5.0)
    manager.on_connect("a", "T1", URL + "a")
    assert (transport.sent, transport.closed) == ([("T1", Event("bye", "1"))], ["T1"])
    transport.failing.add("T2")
    manager.on_connect("b", "T2", URL + "b")
    assert manager.has_connection("b")
    assert_consistent(manager)
