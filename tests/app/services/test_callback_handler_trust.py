"""Callers without the secret cannot replace or end a stream of the gateway in this process."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.callback_handler import CallbackHandler
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.app.services.test_callback_handler import (
    RecordingConnections,
    connect,
    connections,
    disconnect,
)

__all__ = ["connections"]

HELD = "The stream is held by the gateway in this server."


@pytest.mark.parametrize(
    "body",
    [
        connect(token="new"),
        connect("/api/sse/stream?request_id=other", token="held"),
        disconnect(token="held"),
    ],
)
def test_untrusted_callers_cannot_end_a_stream_of_this_process(
    connections: RecordingConnections, body: dict[str, Any]
) -> None:
    """An untrusted caller can end a stream neither by its request id nor by its token."""
    connections.tokens = {"me": "held"}
    counts = RefusalCounts()
    handler = CallbackHandler(connections, holds={"held"}.__contains__, refusals=counts)
    answer = handler.handle(body, trusted=False)
    assert (answer.status, answer.body["error"].startswith(HELD)) == (403, True)
    assert connections.calls == []
    assert counts.by_reason["callback_not_allowed"] == counts.by_reason.total() == 1
    assert handler.handle(body, trusted=True).status == 200


@pytest.mark.parametrize(
    "body",
    [connect(token="new"), connect("/x?request_id=other"), disconnect(), disconnect(token="old")],
)
def test_untrusted_callers_can_end_streams_of_another_gateway(
    connections: RecordingConnections, body: dict[str, Any]
) -> None:
    """An untrusted gateway can replace and end streams that this process does not hold."""
    connections.tokens = {"me": "old"}
    handler = CallbackHandler(connections, holds={"held"}.__contains__)
    assert handler.handle(body, trusted=False).status == 200


def test_a_stream_that_connects_during_the_hook(connections: RecordingConnections) -> None:
    """A stream that connects while the hook runs is protected as well."""

    def hook(*_: object) -> None:
        connections.tokens["me"] = "held"

    handler = CallbackHandler(connections, hook, holds={"held"}.__contains__)
    assert handler.handle(connect(token="new"), trusted=False).status == 403
