"""The responses to a gateway's callbacks."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.callback_handler import CallbackHandler, CallbackResponse, request_id_of


class RecordingConnections:
    """A connection manager that records its calls.

    Attributes:
        calls: each connect with its user, and each disconnect.
        tokens: the token of each request id's stream, for ``token_of``.
        elsewhere: the request ids and tokens of streams in other processes.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, ...]] = []
        self.tokens: dict[str, str] = {}
        self.elsewhere: set[str] = set()

    def on_connect(self, request_id: str, token: str, url: str, user: str | None = None) -> None:
        """Record a connect."""
        self.calls.append(("connect", request_id, token, url, user))

    def on_disconnect(self, token: str) -> None:
        """Record a disconnect."""
        self.calls.append(("disconnect", token))

    def token_of(self, request_id: str) -> str | None:
        """Return the token that a test has set."""
        return self.tokens.get(request_id)

    def is_held_elsewhere(self, request_id: str, token: str) -> bool:
        """Return what a test has set."""
        return bool(self.elsewhere & {request_id, token})


@pytest.fixture
def connections() -> RecordingConnections:
    """Return the fake connection manager."""
    return RecordingConnections()


@pytest.fixture
def handler(connections: RecordingConnections) -> CallbackHandler:
    """Return the handler under test."""
    return CallbackHandler(connections)


def connect(url: str = "/api/sse/stream?request_id=me", **changes: object) -> dict[str, Any]:
    """Return the body of a connect callback."""
    request = {"url": url, "headers": {"host": "h", "x-many": ["a", "b"]}}
    return {"action": "connect", "token": "T", "request": request, **changes}


def disconnect(**changes: object) -> dict[str, Any]:
    """Return the body of a disconnect callback."""
    request = {"url": "/api/sse/stream?request_id=me", "headers": {}}
    body = {"action": "disconnect", "reason": "client_closed", "token": "T", "request": request}
    return {**body, **changes}


def test_connect_registers(handler: CallbackHandler, connections: RecordingConnections) -> None:
    """A connect is registered with its raw URL; the response is {}."""
    assert handler.handle(connect()) == CallbackResponse(200, {})
    assert connections.calls == [("connect", "me", "T", "/api/sse/stream?request_id=me", None)]


@pytest.mark.parametrize(("verdict", "user"), [("ann", "ann"), (None, None), (True, None)])
def test_the_user_is_passed_on(
    connections: RecordingConnections, verdict: str | bool | None, user: str | None
) -> None:
    """The user that the hook returns is passed on with the connect."""
    handler = CallbackHandler(connections, lambda *_: verdict)
    assert handler.handle(connect()) == CallbackResponse(200, {})
    assert connections.calls == [("connect", "me", "T", "/api/sse/stream?request_id=me", user)]


def test_disconnect_unregisters(
    handler: CallbackHandler, connections: RecordingConnections
) -> None:
    """A disconnect is passed on, whether the token is known or not; the response is {}."""
    assert handler.handle(disconnect()) == CallbackResponse(200, {})
    assert connections.calls == [("disconnect", "T")]


def test_unknown_fields_are_ignored(
    handler: CallbackHandler, connections: RecordingConnections
) -> None:
    """A callback may have fields that the backend does not know."""
    assert handler.handle(connect(more=1)) == CallbackResponse(200, {})
    assert handler.handle(disconnect(more={}, reason="a new one")) == CallbackResponse(200, {})
    assert [call[0] for call in connections.calls] == ["connect", "disconnect"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"action": "CONNECT"}, "CONNECT"),
        ({"action": ""}, ""),
        ({"action": 5}, "5"),
        ({"action": None}, "null"),
        ({}, "null"),
        ({"action": ["connect"]}, '["connect"]'),
        ({"action": "a\nb\x00\u202e"}, "a?b??"),
        ({"action": "x" * 40}, "x" * 40),
        ({"action": "x" * 41}, "x" * 40 + "…"),
        ({"action": {"a": "b" * 1000}}, '{"a": "' + "b" * 33 + "…"),
        ([], "the body is not an object"),
        ("connect", "the body is not an object"),
        (None, "the body is not an object"),
        (1, "the body is not an object"),
    ],
)
def test_unknown_action(
    handler: CallbackHandler, connections: RecordingConnections, body: object, said: str
) -> None:
    """An unknown action is named in the response, shortened and on one line."""
    assert handler.handle(body) == CallbackResponse(400, {"error": f"Unknown action: {said}"})
    assert connections.calls == []


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        (connect(token=""), ["token"]),
        (connect(token=5), ["token"]),
        (connect(token="\ud800"), ["token"]),
        (connect(request=None), ["request"]),
        (connect(request={"headers": {}}), ["request", "url"]),
        (connect(request={"url": 5}), ["request", "url"]),
        (
            connect(request={"url": "/", "headers": {"a": 5}}),
            ["request", "headers", "a", "str"],
        ),
        (disconnect(token=None), ["token"]),
        (disconnect(reason=None), ["reason"]),
        (disconnect(request=[]), ["request"]),
    ],
)
def test_invalid_payload(
    handler: CallbackHandler,
    connections: RecordingConnections,
    body: dict[str, Any],
    loc: list[str],
) -> None:
    """An invalid payload is refused with place and reason, but without the input."""
    status, answer, _ = handler.handle(body)
    assert (status, answer["error"]) == (400, "Invalid payload")
    assert answer["details"][0]["loc"] == loc
    assert set(answer["details"][0]) == {"loc", "msg", "type"}
    assert connections.calls == []


def test_the_action_is_checked_before_the_payload(handler: CallbackHandler) -> None:
    """An unknown action is reported even if the token is missing too."""
    assert handler.handle({"action": "ping"}) == CallbackResponse(
        400, {"error": "Unknown action: ping"}
    )


@pytest.mark.parametrize(
    "url",
    [
        "/api/sse/stream",
        "/api/sse/stream?",
        "/api/sse/stream?request_id",
        "/api/sse/stream?request_id=",
        "/api/sse/stream?request_id=&request_id=late",
        "/api/sse/stream?Request_Id=me",
        "/api/sse/stream#?request_id=me",
        "/api/sse/stream?a=1;request_id=me",
        "",
    ],
)
def test_missing_request_id(
    handler: CallbackHandler, connections: RecordingConnections, url: str
) -> None:
    """A connect without a non-empty request id is refused."""
    assert handler.handle(connect(url)) == CallbackResponse(
        400, {"error": "Missing request_id in URL"}
    )
    assert connections.calls == []


@pytest.mark.parametrize(
    "request_id",
    ["a:b", "%3A", "x" * 201, "a%0Ab", "%00", "%7f", "%c2%85", "%e2%80%a8"],
)
def test_invalid_request_id(
    handler: CallbackHandler, connections: RecordingConnections, request_id: str
) -> None:
    """A request id with a colon, a control character or over 200 characters is refused."""
    body = connect(f"/api/sse/stream?request_id={request_id}")
    assert handler.handle(body) == CallbackResponse(400, {"error": "Invalid request_id format"})
    assert connections.calls == []


@pytest.mark.parametrize(
    ("url", "request_id"),
    [
        ("/s?request_id=me", "me"),
        ("/s?request_id=first&request_id=second", "first"),
        ("/s?a=1&&b&request_id=me#x", "me"),
        ("/s?request_id=a%20b+c", "a b c"),
        ("/s?request%5Fid=me", "me"),
        ("/s?request_id=%C3%BC", "ü"),
        ("/s?request_id=%FF", "\ufffd"),
        ("/s?request_id=%zz%", "%zz%"),
        ("/s?request_id=a=b", "a=b"),
        ("/s?request_id=a?b", "a?b"),
        ("http://host/s?request_id=me", "me"),
        ("//a/../s?request_id=" + "é" * 200, "é" * 200),
    ],
)
def test_request_id_is_decoded_as_browsers_encode_it(
    handler: CallbackHandler, connections: RecordingConnections, url: str, request_id: str
) -> None:
    """The first request id counts; escapes are UTF-8; an invalid escape stays as it is."""
    assert handler.handle(connect(url)) == CallbackResponse(200, {})
    assert connections.calls == [("connect", request_id, "T", url, None)]


@given(st.text())
def test_no_url_can_break_the_parsing(url: str) -> None:
    """Any request target has a request id, which may be empty."""
    assert isinstance(request_id_of(url), str)


def test_a_refusal_is_logged_without_headers(
    handler: CallbackHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why a callback was refused, without the request's headers."""
    caplog.set_level(logging.WARNING)
    handler.handle(connect("/s"))
    handler.handle(connect(request={"url": 5, "headers": {"cookie": "sid=1"}}))
    first, second = caplog.records
    assert (vars(first)["error"], vars(first)["token"]) == ("Missing request_id in URL", "T")
    assert "sid=1" not in str(vars(second))


def test_the_services_own_errors_are_not_hidden() -> None:
    """An error of the connection manager is raised: it is not a fault of the callback."""

    class Broken(RecordingConnections):
        def on_connect(
            self, request_id: str, token: str, url: str, user: str | None = None
        ) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CallbackHandler(Broken()).handle(connect())


@pytest.mark.parametrize("headers", [{"a": [0] * 49_000}, {str(n): 0 for n in range(10_000)}])
def test_a_callback_with_thousands_of_faults(
    connections: RecordingConnections, headers: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The response to a callback with thousands of faults, and its log line, are short."""
    handler = CallbackHandler(connections, max_details=2)
    with caplog.at_level(logging.WARNING):
        answer = handler.handle(connect(request={"url": "/", "headers": headers}))
    assert answer.status == 400
    assert len(answer.body["details"]) <= 3
    assert caplog.records[-1].__dict__["details"] == answer.body["details"]
    assert len(str(answer.body)) < 1000
