"""The callbacks to the backend: their bodies, and the meaning of each answer. Pure.

Source: the gateway contract (docs/contract.md). Names of sections in comments are its sections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.http import ErrorCode, Refusal, status_phrase

__all__ = [
    "CALLBACK_TIME_LIMIT_SECONDS",
    "Action",
    "CallbackAnswer",
    "CallbackFailure",
    "Reason",
    "payload",
    "refusal",
]

CALLBACK_TIME_LIMIT_SECONDS = 5.0
"""The time in which a backend must answer a callback, seconds."""


class Action(StrEnum):
    """The event that a callback reports to the backend."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"


class Reason(StrEnum):
    """The reason of a stream's end."""

    CLIENT_CLOSED = "client_closed"
    SERVER_CLOSED = "server_closed"
    ERROR = "error"


def payload(
    action: Action, token: str, request: Mapping[str, Any], reason: Reason | None = None
) -> dict[str, Any]:
    """Build the JSON body of a callback.

    Args:
        action: connect or disconnect.
        token: the stream's token.
        request: ``{"url": …, "headers": …}`` of the stream's request.
        reason: the reason of the stream's end; only for a disconnect.
    """
    body: dict[str, Any] = {"action": action.value}
    if reason is not None:
        body["reason"] = reason.value
    body["token"] = token
    body["request"] = request
    return body


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """A backend's answer to a callback. Only the status decides if the stream opens.

    Args:
        status: the HTTP status.
        phrase: the reason phrase. If it is empty or None, the standard phrase is used.
        boot: the start of the backend that has answered; None if the answer does not name it.
        audiences: the audiences whose events the stream gets, besides everyone's; only for a
            gateway with a log.
    """

    status: int
    phrase: str | None = None
    boot: Boot | None = None
    audiences: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """True if the stream may open."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The phrase in the envelope dialect's ``rejected`` event; never empty, as in Node."""
        return self.phrase or status_phrase(self.status)


class CallbackFailure(Enum):
    """The reasons for a callback without an answer: status, code and message for the client."""

    TIMEOUT = (504, ErrorCode.GATEWAY_TIMEOUT, "Gateway timeout")
    UNAVAILABLE = (503, ErrorCode.BACKEND_UNAVAILABLE, "Backend unavailable")
    NOT_CONFIGURED = (503, ErrorCode.SERVICE_NOT_CONFIGURED, "Service not configured")


def refusal(outcome: CallbackAnswer | CallbackFailure, dialect: Dialect) -> Refusal | None:
    """Translate the outcome of a connect callback; "A stream's life", step 3.

    A status below 200 or above 599 is not valid in an answer to a client. It means that the backend
    is not available (divergence 9).

    Args:
        outcome: the backend's answer, or the reason why there is none.
        dialect: the gateway's dialect. It decides the form of the refusal for 400, 401 and 403.

    Returns:
        The refusal for the client; None if the stream opens.
    """
    if isinstance(outcome, CallbackAnswer) and not 200 <= outcome.status <= 599:
        outcome = CallbackFailure.UNAVAILABLE
    if isinstance(outcome, CallbackFailure):
        status, code, message = outcome.value
        return Refusal(status, code, message)
    if outcome.accepted:
        return None
    code = {401: ErrorCode.BACKEND_AUTH_FAILED, 403: ErrorCode.BACKEND_FORBIDDEN}.get(
        outcome.status, ErrorCode.BACKEND_ERROR
    )
    message = f"Backend returned {outcome.status}"
    if dialect is Dialect.ENVELOPE and outcome.status in (400, 401, 403):
        event = event_stream.rejected(outcome.status, outcome.message)
        return Refusal(200, code, message, in_stream=event)
    return Refusal(outcome.status, code, message)
