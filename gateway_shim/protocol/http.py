"""The gateway's HTTP answers: size limits, fixed headers, error bodies, refusals. Pure.

Source: the gateway contract (docs/contract.md). Names of sections in comments are its sections.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from gateway_shim.protocol.event_stream import Dialect, Frame

__all__ = [
    "CORS_HEADERS",
    "HEARTBEAT_HEADER",
    "JSON_CONTENT_TYPE",
    "MAX_BODY_BYTES",
    "MAX_REQUEST_BYTES",
    "STREAM_HEADERS",
    "ErrorCode",
    "Refusal",
    "compact_json",
    "error_body",
    "head",
    "keep_alive_header",
    "readiness",
    "refusal_bytes",
    "status_phrase",
    "unavailable",
]

MAX_BODY_BYTES = 102_400
"""The largest body of a send that is accepted, in bytes."""

MAX_REQUEST_BYTES = 1024 * 1024
"""The largest announced body that is read, in bytes. A request that announces a larger body is
answered without reading the body."""

JSON_CONTENT_TYPE = "application/json; charset=utf-8"

CORS_HEADERS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Cache-Control"),
)

# json.dumps() would make a new encoder for each call.
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

HEARTBEAT_HEADER = "SSE-Heartbeat-Seconds"
"""The header of a stream that has the seconds between two heartbeats. A client that has read
nothing for longer knows that its stream is dead. The header is not the contract's."""

STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
)


class ErrorCode(StrEnum):
    """The values of ``code`` in an error body."""

    INVALID_JSON = "INVALID_JSON"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    INVALID_TOKEN_MISSING = "INVALID_TOKEN_MISSING"  # noqa: S105 - the contract's name
    INVALID_EVENT_TYPE = "INVALID_EVENT_TYPE"
    INVALID_EVENT_DATA_MISSING = "INVALID_EVENT_DATA_MISSING"
    INVALID_EVENT_NAME_TYPE = "INVALID_EVENT_NAME_TYPE"
    INVALID_CLOSE_TYPE = "INVALID_CLOSE_TYPE"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"  # noqa: S105 - the contract's name
    WRITE_FAILED = "WRITE_FAILED"
    NOT_FOUND = "NOT_FOUND"
    SERVICE_NOT_CONFIGURED = "SERVICE_NOT_CONFIGURED"
    BACKEND_AUTH_FAILED = "BACKEND_AUTH_FAILED"
    BACKEND_FORBIDDEN = "BACKEND_FORBIDDEN"
    BACKEND_ERROR = "BACKEND_ERROR"
    BACKEND_UNAVAILABLE = "BACKEND_UNAVAILABLE"
    GATEWAY_TIMEOUT = "GATEWAY_TIMEOUT"
    # The codes below are not the contract's: the recorded gateways have no such limits, and answer
    # bad requests without a body.
    BAD_REQUEST = "BAD_REQUEST"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    CROSS_SITE = "CROSS_SITE"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a client that gets no stream, or whose request is refused.

    Args:
        status: the HTTP status.
        code: the ``code`` of the error body.
        message: the ``message`` of the error body.
        headers: further headers of the answer.
        in_stream: the only event of a stream that ends after it, instead of an error body. None if
            the client gets an error body.
    """

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    in_stream: Frame | None = None

    @property
    def body(self) -> bytes:
        """The JSON error body; empty for a refusal inside a stream."""
        return b"" if self.in_stream is not None else error_body(self.code, self.message)


def unavailable(code: str, message: str, retry_after: int) -> Refusal:
    """Make a refusal with status 503, for a request that can succeed later.

    Args:
        code: the code of the error body.
        message: the message of the error body.
        retry_after: seconds after which the client may ask again.
    """
    return Refusal(503, code, message, headers=(("Retry-After", str(retry_after)),))


def error_body(code: str, message: str) -> bytes:
    """Encode the JSON body of an error."""
    return compact_json({"error": {"message": message, "code": str(code)}})


def compact_json(value: object) -> bytes:
    """Encode a value as JSON without white space, as ``JSON.stringify`` does."""
    return _COMPACT.encode(value).encode()


def status_phrase(status: int) -> str:
    """Return the standard reason phrase of an HTTP status; ``unknown`` if there is none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Encode the status line and the headers of an answer, and the empty line that ends them.

    The version is always HTTP/1.1: a server states its own version, not the client's (RFC 9110,
    section 2.5).
    """
    lines = [f"HTTP/1.1 {status} {status_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def keep_alive_header(seconds: int) -> tuple[str, str]:
    """Return the header that tells how long a connection may be idle after an answer.

    A client that knows this time does not send a request over a connection that is about to close.
    Clients read an integer, without exponent or fraction.

    Args:
        seconds: the time that the connection may be idle.
    """
    return ("Keep-Alive", f"timeout={seconds:d}")


def refusal_bytes(
    refusal: Refusal,
    headers: Iterable[tuple[str, str]] = (),
    *,
    idle_seconds: int | None = None,
) -> bytes:
    """Encode the whole answer to a request that is refused.

    Args:
        refusal: the status, the body and the headers of the answer.
        headers: further headers, such as those of CORS.
        idle_seconds: how long the connection may be idle after the answer, seconds. None: the
            connection is closed after the answer.
    """
    lines = [("Connection", "close")]
    if idle_seconds is not None:
        lines = [("Connection", "keep-alive"), keep_alive_header(idle_seconds)]
    lines += [*refusal.headers, *headers]
    if refusal.status == 304:  # An answer with status 304 has no body (RFC 9110, section 15.4.5).
        return head(304, lines)
    body = refusal.body
    lines.append(("Content-Type", JSON_CONTENT_TYPE))
    lines.append(("Content-Length", str(len(body))))
    return head(refusal.status, lines) + body


def readiness(configured: bool, dialect: Dialect) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON body of ``/readyz``.

    Args:
        configured: True if the gateway has a backend to ask.
        dialect: the gateway's dialect. The envelope dialect adds the fields of its Node version.
    """
    body: dict[str, Any] = {"status": "ready", "configured": True}
    if not configured:
        body = {"status": "not_ready", "configured": False}
    if dialect is Dialect.ENVELOPE:
        body["rabbitmq"] = "disabled"
        if not configured:
            body["reasons"] = ["CALLBACK_URL not configured"]
    return (200 if configured else 503), body
