"""What the backend answers a gateway's callback."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.callback_handler import Answer, CallbackHandler, request_id_of
from app.services.connection_manager import ConnectionManager
from app.services.metrics_service import NullMetrics
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.app.services.test_connection_manager import Transport


class Connections:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.tokens: dict[str, str] = {}

    def on_connect(self, request_id: str, token: str, url: str, *user: str | None) -> None:
        """Remember a connect."""
        self.calls.append(("connect", request_id, token, url, *map(str, user)))

    def on_disconnect(self, token: str) -> None:
        """Remember a disconnect."""
        self.calls.append(("disconnect", token))

    def holder_of(self, request_id: str) -> str | None:
        """Give the token that a test has set."""
        return self.tokens.get(request_id)


@pytest.fixture
def connections() -> Connections:
    """What the handler reaches."""
    return Connections()


@pytest.fixture
def handler(connections: Connections) -> CallbackHandler:
    """The handler under test."""
    return CallbackHandler(connections)


def connect(url: str = "/api/sse/stream?request_id=me", **changes: object) -> dict[str, Any]:
    """A connect callback's body."""
    request = {"url": url, "headers": {"host": "h", "x-many": ["a", "b"]}}
    return {"action": "connect", "token": "T", "request": request, **changes}


def disconnect(**changes: object) -> dict[str, Any]:
    """A disconnect callback's body."""
    request = {"url": "/api/sse/stream?request_id=me", "headers": {}}
    body = {"action": "disconnect", "reason": "client_closed", "token": "T", "request": request}
    return {**body, **changes}


def test_connect_registers(handler: CallbackHandler, connections: Connections) -> None:
    """A connect reaches the ConnectionManager with the raw URL, and is answered {}."""
    assert handler.handle(connect()) == Answer(200, {})
    assert connections.calls == [("connect", "me", "T", "/api/sse/stream?request_id=me")]


@pytest.mark.parametrize(("verdict", "passed_on"), [("ann", ("ann",)), (None, ()), (True, ())])
def test_the_user_is_passed_on(
    connections: Connections, verdict: str | bool | None, passed_on: tuple[str, ...]
) -> None:
    """The user whom the hook names comes along with the connect."""
    handler = CallbackHandler(connections, lambda *_: verdict)
    assert handler.handle(connect()) == Answer(200, {})
    assert connections.calls == [
        ("connect", "me", "T", "/api/sse/stream?request_id=me", *passed_on)
    ]


def test_another_users_request_id() -> None:
    """It is refused with 403, and counted; the user's stream stays."""
    users = iter(["ann", "bob", "ann"])
    manager, refusals = ConnectionManager(Transport(), NullMetrics()), RefusalCounts()
    handler = CallbackHandler(manager, lambda *_: next(users), refusals)
    assert handler.handle(connect(token="T1")) == Answer(200, {})
    answer = handler.handle(connect(token="T2"))
    assert (answer.status, answer.phrase) == (403, None)
    assert answer.body == {"error": "This request id belongs to another user's stream"}
    assert (manager.holder_of("me"), refusals.by_reason["another_user"]) == ("T1", 1)
    assert handler.handle(connect(token="T3")) == Answer(200, {})
    assert (manager.holder_of("me"), refusals.by_reason["another_user"]) == ("T3", 1)


def test_two_users_at_once() -> None:
    """Of two users who ask for one request id at the same time, one gets it."""
    manager = ConnectionManager(Transport(), NullMetrics())

    def authorize(request_id: str, url: str, headers: Mapping[str, str | list[str]]) -> str:
        gevent.sleep(0)  # both have asked before either is registered
        return url.partition("user=")[2]

    handler = CallbackHandler(manager, authorize)
    asking = [
        gevent.spawn(handler.handle, connect(f"/s?request_id=me&user={user}", token=user))
        for user in ("ann", "bob")
    ]
    gevent.joinall(asking, raise_error=True)
    assert [greenlet.value.status for greenlet in asking] == [200, 403]
    assert manager.holder_of("me") == "ann"


def test_disconnect_unregisters(handler: CallbackHandler, connections: Connections) -> None:
    """A disconnect reaches the ConnectionManager, known token or not, and is answered {}."""
    assert handler.handle(disconnect()) == Answer(200, {})
    assert connections.calls == [("disconnect", "T")]


def test_unknown_fields_are_ignored(handler: CallbackHandler, connections: Connections) -> None:
    """A newer gateway may say more."""
    assert handler.handle(connect(more=1)) == Answer(200, {})
    assert handler.handle(disconnect(more={}, reason="a new one")) == Answer(200, {})
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
        ([], "the body is no object"),
        ("connect", "the body is no object"),
        (None, "the body is no object"),
        (1, "the body is no object"),
    ],
)
def test_unknown_action(
    handler: CallbackHandler, connections: Connections, body: object, said: str
) -> None:
    """Anything but the two actions is named in the answer, shortened and on one line."""
    assert handler.handle(body) == Answer(400, {"error": f"Unknown action: {said}"})
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
    handler: CallbackHandler, connections: Connections, body: dict[str, Any], loc: list[str]
) -> None:
    """A payload that fails its schema is refused with where and why, not with what was sent."""
    status, answer, _ = handler.handle(body)
    assert (status, answer["error"]) == (400, "Invalid payload")
    assert answer["details"][0]["loc"] == loc
    assert set(answer["details"][0]) == {"loc", "msg", "type"}
    assert connections.calls == []


def test_the_action_is_judged_before_the_payload(handler: CallbackHandler) -> None:
    """The table's order: an unknown action is reported although the token is missing too."""
    assert handler.handle({"action": "ping"}) == Answer(400, {"error": "Unknown action: ping"})


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
def test_missing_request_id(handler: CallbackHandler, connections: Connections, url: str) -> None:
    """Without a non-empty request id there is nobody to register."""
    assert handler.handle(connect(url)) == Answer(400, {"error": "Missing request_id in URL"})
    assert connections.calls == []


@pytest.mark.parametrize(
    "request_id",
    ["a:b", "%3A", "x" * 201, "a%0Ab", "%00", "%7f", "%c2%85", "%e2%80%a8"],
)
def test_invalid_request_id(
    handler: CallbackHandler, connections: Connections, request_id: str
) -> None:
    """The colon is reserved, control characters are no id, and 200 characters are enough."""
    body = connect(f"/api/sse/stream?request_id={request_id}")
    assert handler.handle(body) == Answer(400, {"error": "Invalid request_id format"})
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
    handler: CallbackHandler, connections: Connections, url: str, request_id: str
) -> None:
    """The first value wins; escapes are UTF-8; what is no escape stays as it is."""
    assert handler.handle(connect(url)) == Answer(200, {})
    assert connections.calls == [("connect", request_id, "T", url)]


@given(st.text())
def test_no_url_can_break_the_parsing(url: str) -> None:
    """Whatever a client sends as target, there is an answer."""
    assert isinstance(request_id_of(url), str)


def test_a_refusal_is_logged_without_headers(
    handler: CallbackHandler, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator can see why streams are refused; credentials are not in it."""
    caplog.set_level(logging.WARNING)
    handler.handle(connect("/s"))
    handler.handle(connect(request={"url": 5, "headers": {"cookie": "sid=1"}}))
    first, second = caplog.records
    assert (vars(first)["error"], vars(first)["token"]) == ("Missing request_id in URL", "T")
    assert "sid=1" not in str(vars(second))


def test_the_services_own_errors_are_not_hidden() -> None:
    """A failure of the ConnectionManager is not the gateway's fault: it is no 400."""

    class Broken(Connections):
        def on_connect(self, request_id: str, token: str, url: str) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CallbackHandler(Broken()).handle(connect())


@pytest.mark.parametrize("headers", [{"a": [0] * 49_000}, {str(n): 0 for n in range(10_000)}])
def test_a_callback_in_which_everything_is_wrong(
    connections: Connections, headers: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its answer and its log line are short."""
    handler = CallbackHandler(connections, most_details=2)
    with caplog.at_level(logging.WARNING):
        answer = handler.handle(connect(request={"url": "/", "headers": headers}))
    assert answer.status == 400
    assert len(answer.body["details"]) <= 3
    assert caplog.records[-1].__dict__["details"] == answer.body["details"]
    assert len(str(answer.body)) < 1000


# ------------------------------------------------------------------ streams of this process


HELD = "The stream is held by the gateway in this server."


@pytest.mark.parametrize(
    "body",
    [
        connect(token="new"),
        connect("/api/sse/stream?request_id=other", token="held"),
        disconnect(token="held"),
    ],
)
def test_outsiders_cannot_end_a_stream_of_this_process(
    connections: Connections, body: dict[str, Any]
) -> None:
    """Neither by its request id nor by its token; whoever is trusted can."""
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
def test_outsiders_and_streams_elsewhere(connections: Connections, body: dict[str, Any]) -> None:
    """A gateway on a port replaces and ends what it holds itself."""
    connections.tokens = {"me": "old"}
    handler = CallbackHandler(connections, holds={"held"}.__contains__)
    assert handler.handle(body, trusted=False).status == 200


def test_a_stream_that_comes_while_the_hook_thinks(connections: Connections) -> None:
    """The stream is looked for after the hook, which may let others run."""

    def hook(*_: object) -> None:
        connections.tokens["me"] = "held"

    handler = CallbackHandler(connections, hook, holds={"held"}.__contains__)
    assert handler.handle(connect(token="new"), trusted=False).status == 403
