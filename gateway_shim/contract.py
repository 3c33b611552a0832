"""The gateway's HTTP contract as code: routes, headers, callbacks, refusals. Pure.

Source: the gateway contract (docs/contract.md), whose section names the comments use.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from http import HTTPStatus
from typing import Any

from gateway_shim import wire
from gateway_shim.wire import Dialect, Frame

__all__ = [
    "CALLBACK_TIME_LIMIT_SECONDS",
    "CORS_HEADERS",
    "JSON_CONTENT_TYPE",
    "MAX_BODY_BYTES",
    "MAX_REQUEST_BYTES",
    "STREAM_HEADERS",
    "Action",
    "CallbackAnswer",
    "CallbackFailure",
    "ErrorCode",
    "Reason",
    "Refusal",
    "Route",
    "StreamRequest",
    "callback_payload",
    "compact_json",
    "error_body",
    "head",
    "join_headers",
    "pack_request",
    "path_of",
    "readiness",
    "refusal",
    "route",
    "status_phrase",
    "unpack_request",
]

MAX_BODY_BYTES = 102_400
"""The largest body of a send that is accepted."""

CALLBACK_TIME_LIMIT_SECONDS = 5.0
"""How long a backend may take to answer a callback."""

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
    TOO_MANY_CONNECTIONS = "TOO_MANY_CONNECTIONS"
    SHUTTING_DOWN = "SHUTTING_DOWN"


class Action(StrEnum):
    """What a callback tells the backend."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"


class Reason(StrEnum):
    """Why a stream ended."""

    CLIENT_CLOSED = "client_closed"
    SERVER_CLOSED = "server_closed"
    ERROR = "error"


class Route(Enum):
    """What a request asks for; "Endpoints"."""

    STREAM = "stream"
    STREAM_HEAD = "stream head"
    SEND = "send"
    HEALTH = "health"
    READY = "ready"
    OPTIONS = "options"
    NOT_FOUND = "not found"


def path_of(target: str) -> str:
    """The path of a raw request target, without query and fragment; escapes stay escapes.

    An absolute target (``GET http://host/path``) loses scheme and host.
    """
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    return re.split("[?#]", target, maxsplit=1)[0]


def route(method: str, target: str) -> Route:
    """Say what a request asks for.

    Args:
        method: the request method, in capitals.
        target: the raw request target, query included.
    """
    if method == "OPTIONS":
        return Route.OPTIONS
    path = path_of(target).lower()
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


# ---------------------------------------------------------------------------- requests

Headers = dict[str, str | list[str]]
"""A request's headers as a callback shows them."""

# Of these, a repetition is dropped and the first one stays. The list is Node's, whose http
# module did the joining that the recordings show.
_FIRST_WINS = frozenset(
    {
        "age",
        "authorization",
        "content-length",
        "content-type",
        "etag",
        "expires",
        "from",
        "host",
        "if-modified-since",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "proxy-authorization",
        "referer",
        "retry-after",
        "server",
        "user-agent",
    }
)


def join_headers(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Join a request's headers as the callback shows them; "A stream's life", step 2.

    Args:
        pairs: names and values in the order of the request, values decoded as latin-1.

    Returns:
        Lower-case names; repeated values joined with ``", "``, cookies with ``"; "``. Only
        ``set-cookie`` is a list, always.
    """
    joined: Headers = {}
    for raw_name, value in pairs:
        name = raw_name.lower()
        known = joined.get(name)
        if known is None:
            joined[name] = [value] if name == "set-cookie" else value
        elif isinstance(known, list):
            known.append(value)
        elif name not in _FIRST_WINS:
            joined[name] = known + ("; " if name == "cookie" else ", ") + value
    return joined


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A browser's request for a stream, as the backend gets to see it.

    Args:
        url: the raw request target.
        headers: as :func:`join_headers` returns them.
        http_1_0: whether the client cannot take a chunked body.
        address: the client's address, for logs and limits; empty if unknown.
    """

    url: str
    headers: Mapping[str, str | list[str]]
    http_1_0: bool = False
    address: str = ""


def pack_request(request: StreamRequest) -> bytes:
    """A stream's request in compact form, kept for as long as the stream lives.

    A browser's twelve headers take about 1 KB so; as a dict of strings they take twice that.
    """
    return compact_json([request.address, {"url": request.url, "headers": dict(request.headers)}])


def unpack_request(packed: bytes) -> tuple[str, dict[str, Any]]:
    """The client's address and the callback's ``request`` again."""
    address, request = json.loads(packed)
    return address, request


def callback_payload(
    action: Action, token: str, request: Mapping[str, Any], reason: Reason | None = None
) -> dict[str, Any]:
    """The JSON body of a callback.

    Args:
        action: connect or disconnect.
        token: the stream's token.
        request: ``{"url": …, "headers": …}`` of the stream's request.
        reason: why the stream ended; for a disconnect only.
    """
    payload: dict[str, Any] = {"action": action.value}
    if reason is not None:
        payload["reason"] = reason.value
    payload["token"] = token
    payload["request"] = request
    return payload


# ---------------------------------------------------------------------------- refusals


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """A backend's answer to a callback: only the status counts.

    Args:
        status: the HTTP status.
        phrase: the reason phrase; the standard one if it is not given.
    """

    status: int
    phrase: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether the stream may open."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The reason phrase, for the envelope dialect's ``rejected`` event."""
        return status_phrase(self.status) if self.phrase is None else self.phrase


class CallbackFailure(Enum):
    """Why a callback got no answer at all: status, code and message for the client."""

    TIMEOUT = (504, ErrorCode.GATEWAY_TIMEOUT, "Gateway timeout")
    UNAVAILABLE = (503, ErrorCode.BACKEND_UNAVAILABLE, "Backend unavailable")
    NOT_CONFIGURED = (503, ErrorCode.SERVICE_NOT_CONFIGURED, "Service not configured")


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


def refusal(outcome: CallbackAnswer | CallbackFailure, dialect: Dialect) -> Refusal | None:
    """Translate a callback's outcome; "A stream's life", step 3. None: the stream opens."""
    if isinstance(outcome, CallbackFailure):
        status, code, message = outcome.value
        return Refusal(status, error_body(code, message))
    if outcome.accepted:
        return None
    if dialect is Dialect.ENVELOPE and outcome.status in (400, 401, 403):
        return Refusal(200, in_stream=wire.rejected(outcome.status, outcome.message))
    code = {401: ErrorCode.BACKEND_AUTH_FAILED, 403: ErrorCode.BACKEND_FORBIDDEN}.get(
        outcome.status, ErrorCode.BACKEND_ERROR
    )
    return Refusal(outcome.status, error_body(code, f"Backend returned {outcome.status}"))


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
