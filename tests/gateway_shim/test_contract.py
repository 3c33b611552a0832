"""gateway_shim.contract: every row of the contract's tables, except those of a send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim import contract, wire
from gateway_shim.contract import (
    Action,
    CallbackAnswer,
    CallbackFailure,
    Reason,
    Refusal,
    Route,
    StreamRequest,
)
from gateway_shim.wire import Dialect

NAMED, ENVELOPE = Dialect.NAMED, Dialect.ENVELOPE

ROUTES = [
    # The recordings' connect_paths: any path is a stream, but two.
    ("GET", "/", Route.STREAM),
    ("GET", "/events", Route.STREAM),
    ("GET", "/api/sse/stream?request_id=a%20b&x=1&x=2", Route.STREAM),
    ("GET", "/a//b/../c?", Route.STREAM),
    ("GET", "/%C3%A9?q=%F0%9F%98%80", Route.STREAM),
    ("GET", "/internal/send", Route.STREAM),
    ("GET", "/internal/other", Route.STREAM),
    ("GET", "/healthz/deep", Route.STREAM),
    ("GET", "/healthz//", Route.STREAM),
    ("GET", "//healthz", Route.STREAM),
    ("GET", "/%68ealthz", Route.STREAM),
    ("GET", "/healthz;a=1", Route.STREAM),
    ("GET", "/favicon.ico", Route.STREAM),
    ("GET", "/x?y=http://h/p?z=1#frag", Route.STREAM),
    ("GET", "/?/healthz", Route.STREAM),
    ("GET", "http://gw.example/healthz/x", Route.STREAM),
    # Any case, a trailing slash or a query allowed.
    ("GET", "/healthz", Route.HEALTH),
    ("GET", "/HEALTHZ", Route.HEALTH),
    ("GET", "/healthz/", Route.HEALTH),
    ("GET", "/healthz?x=1", Route.HEALTH),
    ("GET", "/Healthz/?", Route.HEALTH),
    ("GET", "/healthz#x", Route.HEALTH),
    ("GET", "http://gw.example/healthz?x", Route.HEALTH),
    ("HEAD", "/healthz", Route.HEALTH),
    ("GET", "/readyz", Route.READY),
    ("GET", "/ReadyZ/?x=1", Route.READY),
    ("HEAD", "/readyz", Route.READY),
    # Divergence 5.
    ("HEAD", "/events", Route.STREAM_HEAD),
    ("HEAD", "/internal/send", Route.STREAM_HEAD),
    ("POST", "/internal/send", Route.SEND),
    ("POST", "/internal/send/", Route.SEND),
    ("POST", "/Internal/Send?x=1", Route.SEND),
    ("POST", "http://gw.example/internal/send", Route.SEND),
    ("OPTIONS", "/anything", Route.OPTIONS),
    ("OPTIONS", "/internal/send", Route.OPTIONS),
    ("OPTIONS", "/healthz", Route.OPTIONS),
    ("OPTIONS", "*", Route.OPTIONS),
    ("POST", "/nope", Route.NOT_FOUND),
    ("POST", "/api/sse/stream", Route.NOT_FOUND),
    ("POST", "/healthz", Route.NOT_FOUND),
    ("POST", "/internal/send/x", Route.NOT_FOUND),
    ("POST", "//internal/send", Route.NOT_FOUND),
    ("PUT", "/internal/send", Route.NOT_FOUND),
    ("DELETE", "/x", Route.NOT_FOUND),
    ("PATCH", "/healthz", Route.NOT_FOUND),
    ("TRACE", "/", Route.NOT_FOUND),
    ("get", "/healthz", Route.NOT_FOUND),
]


@pytest.mark.parametrize(("method", "target", "expected"), ROUTES)
def test_route(method: str, target: str, expected: Route) -> None:
    """Every request is what the contract's table of endpoints says."""
    assert contract.route(method, target) is expected


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a?b#c", "/a"),
        ("/a#b?c", "/a"),
        ("/a%3Fb", "/a%3Fb"),
        ("/a//b/../c?", "/a//b/../c"),
        ("/http://x/y", "/http://x/y"),
        ("http://host:1/a/b?c", "/a/b"),
        ("http://host", "/"),
        ("http://host?x=/y", "/y"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_path_of(target: str, path: str) -> None:
    """The path of a target, as it was written."""
    assert contract.path_of(target) == path


JOINED = [
    ([], {}),
    ([("Host", "gw.example"), ("ACCEPT", "a")], {"host": "gw.example", "accept": "a"}),
    ([("X-Dup", "1"), ("x-dup", "2"), ("X-DUP", "")], {"x-dup": "1, 2, "}),
    ([("Cookie", "a=b"), ("cookie", "c=d")], {"cookie": "a=b; c=d"}),
    ([("X-Empty", "")], {"x-empty": ""}),
    ([("X-Empty", ""), ("X-Empty", "1")], {"x-empty": ", 1"}),
    ([("X-Latin", "\xe9")], {"x-latin": "\xe9"}),
    ([("x_y", "1"), ("x-y", "2")], {"x_y": "1", "x-y": "2"}),
    ([("Last-Event-ID", "7"), ("Last-Event-ID", "8")], {"last-event-id": "7, 8"}),
    ([("Set-Cookie", "a=b")], {"set-cookie": ["a=b"]}),
    ([("Set-Cookie", "a=b"), ("set-cookie", "")], {"set-cookie": ["a=b", ""]}),
    *(
        ([(name.title(), "first"), (name, "second")], {name: "first"})
        for name in (
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
        )
    ),
]


@pytest.mark.parametrize(("pairs", "expected"), JOINED)
def test_join_headers(pairs: list[tuple[str, str]], expected: dict[str, str | list[str]]) -> None:
    """Names in lower case; repeated values joined, or the first kept, as Node's http does."""
    assert contract.join_headers(pairs) == expected


def test_join_headers_keeps_the_order() -> None:
    """Headers stay in the order in which they first came."""
    pairs = [("B", "1"), ("A", "2"), ("B", "3")]
    assert list(contract.join_headers(iter(pairs)).items()) == [("b", "1, 3"), ("a", "2")]


REQUEST = {"url": "/a?b", "headers": {"host": "h"}}


def test_connect_payload() -> None:
    """A connect has no reason."""
    payload = contract.callback_payload(Action.CONNECT, "t", REQUEST)
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
    """A disconnect says why, in the order of the recordings, as plain JSON values."""
    payload = contract.callback_payload(Action.DISCONNECT, "t", REQUEST, reason)
    assert contract.compact_json(payload) == (
        b'{"action":"disconnect","reason":"%b","token":"t",'
        b'"request":{"url":"/a?b","headers":{"host":"h"}}}' % text.encode()
    )


@given(
    st.builds(
        StreamRequest,
        url=st.text(),
        headers=st.dictionaries(st.text(), st.text() | st.lists(st.text())),
        address=st.text(),
    )
)
def test_pack_request(request: StreamRequest) -> None:
    """What is packed comes out again."""
    assert contract.unpack_request(contract.pack_request(request)) == (
        request.address,
        {"url": request.url, "headers": request.headers},
    )


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_accepted(dialect: Dialect, status: int) -> None:
    """Any 2xx opens the stream."""
    assert contract.refusal(CallbackAnswer(status), dialect) is None


def _error(status: int, code: str, message: str) -> Refusal:
    return Refusal(
        status,
        json.dumps({"error": {"message": message, "code": code}})
        .replace('": ', '":')
        .replace(', "', ',"')
        .encode(),
    )


REFUSALS = [
    (CallbackAnswer(400), NAMED, _error(400, "BACKEND_ERROR", "Backend returned 400")),
    (CallbackAnswer(401), NAMED, _error(401, "BACKEND_AUTH_FAILED", "Backend returned 401")),
    (CallbackAnswer(403), NAMED, _error(403, "BACKEND_FORBIDDEN", "Backend returned 403")),
    *(
        (
            CallbackAnswer(status),
            dialect,
            _error(status, "BACKEND_ERROR", f"Backend returned {status}"),
        )
        for status in (302, 404, 409, 422, 429, 500, 502, 503, 599)
        for dialect in Dialect
    ),
    *(
        (failure, dialect, _error(status, code, message))
        for failure, status, code, message in (
            (CallbackFailure.TIMEOUT, 504, "GATEWAY_TIMEOUT", "Gateway timeout"),
            (CallbackFailure.UNAVAILABLE, 503, "BACKEND_UNAVAILABLE", "Backend unavailable"),
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
        (answer, ENVELOPE, Refusal(200, in_stream=wire.rejected(answer.status, message)))
        for answer, message in (
            (CallbackAnswer(400), "Bad Request"),
            (CallbackAnswer(401), "Unauthorized"),
            (CallbackAnswer(403), "Forbidden"),
            (CallbackAnswer(401, "Not You"), "Not You"),
            (CallbackAnswer(401, ""), ""),
        )
    ),
]


@pytest.mark.parametrize(("outcome", "dialect", "expected"), REFUSALS)
def test_refusal(
    outcome: CallbackAnswer | CallbackFailure, dialect: Dialect, expected: Refusal
) -> None:
    """Whatever else a callback comes to is what the client gets, by the contract's table."""
    assert contract.refusal(outcome, dialect) == expected


@pytest.mark.parametrize(
    ("configured", "dialect", "status", "body"),
    [
        (True, NAMED, 200, {"status": "ready", "configured": True}),
        (False, NAMED, 503, {"status": "not_ready", "configured": False}),
        (True, ENVELOPE, 200, {"status": "ready", "configured": True, "rabbitmq": "disabled"}),
        (
            False,
            ENVELOPE,
            503,
            {
                "status": "not_ready",
                "configured": False,
                "rabbitmq": "disabled",
                "reasons": ["CALLBACK_URL not configured"],
            },
        ),
    ],
)
def test_readiness(configured: bool, dialect: Dialect, status: int, body: dict[str, Any]) -> None:
    """Ready with a backend; the envelope dialect says more."""
    assert contract.readiness(configured, dialect) == (status, body)


def test_error_body() -> None:
    """An error body is the message and its code, without white space, in UTF-8."""
    body = contract.error_body(contract.ErrorCode.NOT_FOUND, 'Nö "x"')
    assert body == '{"error":{"message":"Nö \\"x\\"","code":"NOT_FOUND"}}'.encode()


@pytest.mark.parametrize(
    ("status", "phrase"), [(200, "OK"), (404, "Not Found"), (599, "unknown"), (999, "unknown")]
)
def test_status_phrase(status: int, phrase: str) -> None:
    """The standard phrase, or one that says that there is none."""
    assert contract.status_phrase(status) == phrase
    assert CallbackAnswer(status).message == phrase


def test_head() -> None:
    """A head is its status line and headers as given, in latin-1, and the line that ends it."""
    assert contract.head(404, [("B", "1"), ("A", "\xe9"), ("B", "2")]) == (
        b"HTTP/1.1 404 Not Found\r\nB: 1\r\nA: \xe9\r\nB: 2\r\n\r\n"
    )
    assert contract.head(599, iter(())) == b"HTTP/1.1 599 unknown\r\n\r\n"


def test_fixed_headers() -> None:
    """The headers that the recordings show on every answer, and on every stream."""
    assert dict(contract.CORS_HEADERS) == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Cache-Control",
    }
    assert dict(contract.STREAM_HEADERS) == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache",
        "Connection": "keep-alive",
        "X-Accel-Buffering": "no",
    }
    assert contract.CALLBACK_TIME_LIMIT_SECONDS == 5
    assert contract.JSON_CONTENT_TYPE == "application/json; charset=utf-8"
