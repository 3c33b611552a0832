"""Callbacks: what the backend is told of a stream, and what its answer means. Pure.

Source: the gateway contract (docs/contract.md), whose section names the comments use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from gateway_shim.protocol import event_stream as wire
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
"""How long a backend may take to answer a callback."""


class Action(StrEnum):
    """What a callback tells the backend."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"


class Reason(StrEnum):
    """Why a stream ended."""

    CLIENT_CLOSED = "client_closed"
    SERVER_CLOSED = "server_closed"
    ERROR = "error"


def payload(
    action: Action, token: str, request: Mapping[str, Any], reason: Reason | None = None
) -> dict[str, Any]:
    """The JSON body of a callback.

    Args:
        action: connect or disconnect.
        token: the stream's token.
        request: ``{"url": …, "headers": …}`` of the stream's request.
        reason: why the stream ended; for a disconnect only.
    """
    body: dict[str, Any] = {"action": action.value}
    if reason is not None:
        body["reason"] = reason.value
    body["token"] = token
    body["request"] = request
    return body


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """A backend's answer to a callback: only the status says whether the stream opens.

    Args:
        status: the HTTP status.
        phrase: the reason phrase; the standard one if it is empty or not given.
        boot: which start of the backend has answered, if the answer says it.
    """

    status: int
    phrase: str | None = None
    boot: Boot | None = None

    @property
    def accepted(self) -> bool:
        """Whether the stream may open."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The phrase in the envelope dialect's ``rejected`` event; as Node's, never empty."""
        return self.phrase or status_phrase(self.status)


class CallbackFailure(Enum):
    """Why a callback got no answer at all: status, code and message for the client."""

    TIMEOUT = (504, ErrorCode.GATEWAY_TIMEOUT, "Gateway timeout")
    UNAVAILABLE = (503, ErrorCode.BACKEND_UNAVAILABLE, "Backend unavailable")
    NOT_CONFIGURED = (503, ErrorCode.SERVICE_NOT_CONFIGURED, "Service not configured")


def refusal(outcome: CallbackAnswer | CallbackFailure, dialect: Dialect) -> Refusal | None:
    """Translate a callback's outcome; "A stream's life", step 3. None: the stream opens.

    A status that no HTTP answer ends with means that the backend is not available (divergence 9).
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
        event = wire.rejected(outcome.status, outcome.message)
        return Refusal(200, code, message, in_stream=event)
    return Refusal(outcome.status, code, message)
