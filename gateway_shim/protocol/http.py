"""The gateway's HTTP contract as code: limits, routes, fixed headers, errors. Pure.

Source: the gateway contract (docs/contract.md), whose section names the comments use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from http import HTTPStatus
from typing import Any

from gateway_shim.protocol.event_stream import Dialect, Frame

__all__ = [
    "CORS_HEADERS",
    "JSON_CONTENT_TYPE",
    "MAX_BODY_BYTES",
    "MAX_REQUEST_BYTES",
    "STREAM_HEADERS",
    "ErrorCode",
    "Refusal",
    "Route",
    "compact_json",
    "error_body",
    "head",
    "keep_alive_header",
    "path_of",
    "readiness",
    "refusal_bytes",
    "route",
    "status_phrase",
    "unavailable",
]

MAX_BODY_BYTES = 102_400
"""The largest body of a send that is accepted."""

MAX_REQUEST_BYTES = 1024 * 1024
"""A request that announces a larger body is answered without reading it."""

JSON_CONTENT_TYPE = "application/json; charset=utf-8"

CORS_HEADERS = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type, Cache-Control"),
)

STREAM_HEADERS = (
    ("Content-Type", "text/event-stream"),
    ("Cache-Control", "no-cache"),
    ("Connection", "keep-alive"),
    ("X-Accel-Buffering", "no"),
)


class ErrorCode(StrEnum):
    """The ``code`` of an error body."""

    INVALID_JSON = "INVALID_JSON"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    INVALID_TOKEN_MISSING = "INVALID_TOKEN_MISSING"  # noqa: S105 - the contract's word
    INVALID_EVENT_TYPE = "INVALID_EVENT_TYPE"
    INVALID_EVENT_DATA_MISSING = "INVALID_EVENT_DATA_MISSING"
    INVALID_EVENT_NAME_TYPE = "INVALID_EVENT_NAME_TYPE"
    INVALID_CLOSE_TYPE = "INVALID_CLOSE_TYPE"
    TOKEN_NOT_FOUND = "TOKEN_NOT_FOUND"  # noqa: S105 - the contract's word
    WRITE_FAILED = "WRITE_FAILED"
    NOT_FOUND = "NOT_FOUND"
    SERVICE_NOT_CONFIGURED = "SERVICE_NOT_CONFIGURED"
    BACKEND_AUTH_FAILED = "BACKEND_AUTH_FAILED"
    BACKEND_FORBIDDEN = "BACKEND_FORBIDDEN"
    BACKEND_ERROR = "BACKEND_ERROR"
    BACKEND_UNAVAILABLE = "BACKEND_UNAVAILABLE"
    GATEWAY_TIMEOUT = "GATEWAY_TIMEOUT"
    # Ours: the recorded gateways have no such limits, and answer bad requests without a body.
    BAD_REQUEST = "BAD_REQUEST"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    UNSUPPORTED_ENCODING = "UNSUPPORTED_ENCODING"
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    CROSS_SITE = "CROSS_SITE"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"


class Route(Enum):
    """What a request asks for; "Endpoints"."""

    STREAM = "stream"
    STREAM_HEAD = "stream head"
    SEND = "send"
    HEALTH = "health"
    READY = "ready"
    OPTIONS = "options"
    NOT_FOUND = "not found"


_SCHEMES_WITH_ROOT = frozenset({"http", "https", "ws", "wss", "ftp", "file"})
_ABSOLUTE = re.compile(r"(?P<scheme>[^:/?#]+)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)")


def path_of(target: str) -> str:
    """The path of a raw request target, without query and fragment; escapes stay escapes.

    An absolute target (``GET http://host/path``) loses scheme and host. Where it has no path, the
    path is ``/`` for a host of a scheme that always has one, as for Node; else it stays empty.
    """
    if target.startswith("/"):
        return re.split("[?#]", target, maxsplit=1)[0]
    found = _ABSOLUTE.match(target)
    if found is None:
        return target
    has_root = found["authority"] and found["scheme"].lower() in _SCHEMES_WITH_ROOT
    return found["path"] or ("/" if has_root else "")


def route(method: str, target: str) -> Route:
    """Say what a request asks for.

    Args:
        method: the request method, in capitals.
        target: the raw request target, query included.
    """
    if method == "OPTIONS":
        return Route.OPTIONS
    path = path_of(target).lower()
    if not path.startswith("/"):
        return Route.NOT_FOUND
    path = path[:-1] if len(path) > 1 and path.endswith("/") else path
    if method in ("GET", "HEAD"):
        if path == "/healthz":
            return Route.HEALTH
        if path == "/readyz":
            return Route.READY
        # Divergence 5: HEAD calls nobody, so it is no stream.
        return Route.STREAM if method == "GET" else Route.STREAM_HEAD
    if method == "POST" and path == "/internal/send":
        return Route.SEND
    return Route.NOT_FOUND


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a client gets instead of a stream.

    Args:
        status: the HTTP status.
        body: the JSON error body; empty for a refusal inside the stream.
        in_stream: the one event of a stream that then ends, or None.
        headers: further headers of the answer.
    """

    status: int
    body: bytes = b""
    in_stream: Frame | None = None
    headers: tuple[tuple[str, str], ...] = ()


def unavailable(code: str, message: str, retry_after: int) -> Refusal:
    """Refuse what would work later: 503.

    Args:
        code: of the error body.
        message: of the error body.
        retry_after: seconds after which the client may ask again.
    """
    headers = (("Retry-After", str(retry_after)),)
    return Refusal(503, error_body(code, message), headers=headers)


def error_body(code: str, message: str) -> bytes:
    """The JSON body of an error."""
    return compact_json({"error": {"message": message, "code": str(code)}})


def compact_json(value: object) -> bytes:
    """JSON without white space, as ``JSON.stringify`` writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def status_phrase(status: int) -> str:
    """The standard reason phrase of an HTTP status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Status line and headers of an answer, with the empty line that ends them.

    HTTP/1.1 whatever the client speaks: a server states its own version (RFC 9110, section 2.5).
    """
    lines = [f"HTTP/1.1 {status} {status_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def keep_alive_header(seconds: int) -> tuple[str, str]:
    """The header that says how long a connection may be idle after an answer.

    A client that knows the time does not send a request over a connection that is about to end.
    Clients read an integer: no exponent, no fraction.

    Args:
        seconds: the time.
    """
    return ("Keep-Alive", f"timeout={seconds:d}")


def refusal_bytes(
    refusal: Refusal,
    headers: Iterable[tuple[str, str]] = (),
    *,
    idle_seconds: int | None = None,
) -> bytes:
    """The whole answer to a request that is refused.

    Args:
        refusal: status, body and headers.
        headers: further headers, such as those of CORS.
        idle_seconds: how long the connection may be idle after the answer; None: it ends with
            the answer.
    """
    lines = [("Connection", "close")]
    if idle_seconds is not None:
        lines = [("Connection", "keep-alive"), keep_alive_header(idle_seconds)]
    lines += [*refusal.headers, *headers]
    if refusal.status == 304:  # ends with its head (RFC 9110, section 15.4.5)
        return head(304, lines)
    lines.append(("Content-Type", JSON_CONTENT_TYPE))
    lines.append(("Content-Length", str(len(refusal.body))))
    return head(refusal.status, lines) + refusal.body


def readiness(configured: bool, dialect: Dialect) -> tuple[int, dict[str, Any]]:
    """Status and body of ``/readyz``."""
    body: dict[str, Any] = {"status": "ready", "configured": True}
    if not configured:
        body = {"status": "not_ready", "configured": False}
    if dialect is Dialect.ENVELOPE:
        body["rabbitmq"] = "disabled"
        if not configured:
            body["reasons"] = ["CALLBACK_URL not configured"]
    return (200 if configured else 503), body
