"""Tests of the callbacks: their payloads, and every answer that a backend can give."""

from __future__ import annotations

import pytest

from gateway_shim.protocol import callbacks, event_stream, http
from gateway_shim.protocol.callbacks import Action, CallbackAnswer, CallbackFailure, Reason
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.http import Refusal

NAMED, ENVELOPE = Dialect.NAMED, Dialect.ENVELOPE

REQUEST = {"url": "/a?b", "headers": {"host": "h"}}


def test_connect_payload() -> None:
    """A connect callback has no reason."""
    payload = callbacks.payload(Action.CONNECT, "t", REQUEST)
    assert payload == {"action": "connect", "token": "t", "request": REQUEST}


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Reason.CLIENT_CLOSED, "client_closed"),
        (Reason.SERVER_CLOSED, "server_closed"),
        (Reason.ERROR, "error"),
    ],
)
def test_disconnect_payload(reason: Reason, text: str) -> None:
    """A disconnect callback has a reason, and its keys are in the order of the recordings."""
    payload = callbacks.payload(Action.DISCONNECT, "t", REQUEST, reason)
    assert http.compact_json(payload) == (
        b'{"action":"disconnect","reason":"%b","token":"t",'
        b'"request":{"url":"/a?b","headers":{"host":"h"}}}' % text.encode()
    )


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_accepted(dialect: Dialect, status: int) -> None:
    """Any status 2xx opens the stream."""
    assert callbacks.refusal(CallbackAnswer(status), dialect) is None


REFUSALS = [
    (CallbackAnswer(400), NAMED, Refusal(400, "BACKEND_ERROR", "Backend returned 400")),
    (CallbackAnswer(401), NAMED, Refusal(401, "BACKEND_AUTH_FAILED", "Backend returned 401")),
    (CallbackAnswer(403), NAMED, Refusal(403, "BACKEND_FORBIDDEN", "Backend returned 403")),
    *(
        (
            CallbackAnswer(status),
            dialect,
            Refusal(status, "BACKEND_ERROR", f"Backend returned {status}"),
        )
        for status in (302, 404, 409, 422, 429, 500, 502, 503, 599)
        for dialect in Dialect
    ),
    *(
        (failure, dialect, Refusal(status, code, message))
        for failure, status, code, message in (
            (CallbackFailure.TIMEOUT, 504, "GATEWAY_TIMEOUT", "Gateway timeout"),
            (CallbackFailure.UNAVAILABLE, 503, "BACKEND_UNAVAILABLE", "Backend unavailable"),
            *(
                (CallbackAnswer(odd), 503, "BACKEND_UNAVAILABLE", "Backend unavailable")
                for odd in (0, 99, 100, 101, 103, 199, 600, 999, 1000)
            ),
            (
                CallbackFailure.NOT_CONFIGURED,
                503,
                "SERVICE_NOT_CONFIGURED",
                "Service not configured",
            ),
        )
        for dialect in Dialect
    ),
    *(
        (
            answer,
            ENVELOPE,
            Refusal(
                200,
                code,
                f"Backend returned {answer.status}",
                in_stream=event_stream.rejected(answer.status, message),
            ),
        )
        for answer, code, message in (
            (CallbackAnswer(400), "BACKEND_ERROR", "Bad Request"),
            (CallbackAnswer(401), "BACKEND_AUTH_FAILED", "Unauthorized"),
            (CallbackAnswer(403), "BACKEND_FORBIDDEN", "Forbidden"),
            (CallbackAnswer(401, "Not You"), "BACKEND_AUTH_FAILED", "Not You"),
            (CallbackAnswer(401, ""), "BACKEND_AUTH_FAILED", "Unauthorized"),
        )
    ),
]


@pytest.mark.parametrize(("outcome", "dialect", "expected"), REFUSALS)
def test_refusal(
    outcome: CallbackAnswer | CallbackFailure, dialect: Dialect, expected: Refusal
) -> None:
    """Every other outcome of a callback is refused as the contract's table says."""
    assert callbacks.refusal(outcome, dialect) == expected


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (CallbackAnswer(403), "Forbidden"),
        (CallbackAnswer(599), "unknown"),
        (CallbackAnswer(403, "Not You"), "Not You"),
        (CallbackAnswer(403, ""), "Forbidden"),
    ],
)
def test_message(answer: CallbackAnswer, message: str) -> None:
    """The message is the backend's reason phrase, or the standard phrase if it sent none."""
    assert answer.message == message


def test_time_limit() -> None:
    """A backend has five seconds to answer, as the contract says."""
    assert callbacks.CALLBACK_TIME_LIMIT_SECONDS == 5
