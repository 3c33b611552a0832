"""Callers without the secret, and other users, cannot end a stream that is not theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gevent
import pytest

from app.services.callback_handler import CallbackHandler, CallbackResponse
from app.services.connection_manager import ConnectionManager
from app.services.metrics_service import NullMetrics
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.app.services.conftest import RecordingTransport
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
    [
        connect("/api/sse/stream?request_id=theirs", token="new"),
        connect("/api/sse/stream?request_id=other", token="held"),
        disconnect(token="held"),
    ],
)
def test_untrusted_callers_cannot_end_a_stream_of_another_process(
    connections: RecordingConnections, body: dict[str, Any]
) -> None:
    """The streams of all processes of the server are protected, and a refusal is counted."""
    connections.elsewhere = {"theirs", "held"}
    counts = RefusalCounts()
    handler = CallbackHandler(connections, refusals=counts)
    answer = handler.handle(body, trusted=False)
    assert (answer.status, answer.body["error"].startswith(HELD)) == (403, True)
    assert connections.calls == []
    assert counts.by_reason["callback_not_allowed"] == 1
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


def test_another_users_request_id() -> None:
    """A request id of another user's stream is refused with 403 and counted; the stream stays."""
    users = iter(["ann", "bob", "ann"])
    manager, refusals = ConnectionManager(RecordingTransport(), NullMetrics()), RefusalCounts()
    handler = CallbackHandler(manager, lambda *_: next(users), refusals)
    assert handler.handle(connect(token="T1")) == CallbackResponse(200, {})
    answer = handler.handle(connect(token="T2"))
    assert (answer.status, answer.phrase) == (403, None)
    assert answer.body == {"error": "This request id belongs to another user's stream"}
    assert (manager.token_of("me"), refusals.by_reason["another_user"]) == ("T1", 1)
    assert handler.handle(connect(token="T3")) == CallbackResponse(200, {})
    assert (manager.token_of("me"), refusals.by_reason["another_user"]) == ("T3", 1)


def test_two_users_at_once() -> None:
    """Of two users who ask for one request id at the same time, only one gets it."""
    manager = ConnectionManager(RecordingTransport(), NullMetrics())

    def authorize(request_id: str, url: str, headers: Mapping[str, str | list[str]]) -> str:
        gevent.sleep(0)  # both hooks run before either stream is registered
        return url.partition("user=")[2]

    handler = CallbackHandler(manager, authorize)
    greenlets = [
        gevent.spawn(handler.handle, connect(f"/s?request_id=me&user={user}", token=user))
        for user in ("ann", "bob")
    ]
    gevent.joinall(greenlets, raise_error=True)
    assert [greenlet.value.status for greenlet in greenlets] == [200, 403]
    assert manager.token_of("me") == "ann"
