"""``POST /api/sse/callback``."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask

from gateway_shim.protocol.backend_start import parse_boot
from tests.app.conftest import MakeApp

PATH = "/api/sse/callback"
SECRET = "s3cret-ü/+"

CONNECT = {
    "action": "connect",
    "token": "T",
    "request": {"url": "/api/sse/stream?request_id=me", "headers": {}},
}
DISCONNECT = {**CONNECT, "action": "disconnect", "reason": "client_closed"}


class RecordingConnections:
    """A connection manager that records its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, ...]] = []

    def on_connect(self, request_id: str, token: str, url: str, user: str | None = None) -> None:
        """Record a connect."""
        self.calls.append(("connect", request_id, token, url, user))

    def on_disconnect(self, token: str) -> None:
        """Record a disconnect."""
        self.calls.append(("disconnect", token))

    def token_of(self, request_id: str) -> str | None:
        """Return None: there is no earlier stream."""
        return None

    def is_held_elsewhere(self, request_id: str, token: str) -> bool:
        """Return False: there are no other processes."""
        return False


def post(app: Flask, json: object = CONNECT, path: str = PATH, **kwargs: Any) -> tuple[int, Any]:
    """Post JSON, and return the status and the JSON body of the answer."""
    answer = app.test_client().post(path, json=json, **kwargs)
    assert answer.content_type == "application/json"
    return answer.status_code, answer.json


@pytest.fixture
def connections() -> RecordingConnections:
    """Return the fake connection manager."""
    return RecordingConnections()


@pytest.fixture
def app(make_app: MakeApp, connections: RecordingConnections) -> Flask:
    """Return an application whose callbacks reach the fake connection manager."""
    made = make_app()
    made.extensions["container"].connection_manager.override(connections)
    return made


def test_connect_and_disconnect(app: Flask, connections: RecordingConnections) -> None:
    """Connects and disconnects are passed on; the body of a 200 is exactly {}."""
    answers = [app.test_client().post(PATH, json=body) for body in (CONNECT, DISCONNECT)]
    assert [(answer.status_code, answer.data.strip()) for answer in answers] == [(200, b"{}")] * 2
    assert connections.calls == [
        ("connect", "me", "T", "/api/sse/stream?request_id=me", None),
        ("disconnect", "T"),
    ]


def test_every_answer_names_the_start_of_the_backend(make_app: MakeApp) -> None:
    """Every answer of an application, also a refusal, has the same boot header."""
    before = time.time_ns() // 1_000_000
    boots = set()
    for _ in range(2):
        app = make_app(sse_gateway_url="http://127.0.0.1:1")
        after = time.time_ns() // 1_000_000
        client = app.test_client()
        bodies = (CONNECT, DISCONNECT, {"action": "ping"})
        answers = [client.post(PATH, json=body) for body in bodies]
        assert [answer.status_code for answer in answers] == [200, 200, 400]
        (text,) = {answer.headers["SSE-Backend-Boot"] for answer in answers}
        boot = parse_boot(text)
        assert boot is not None
        assert before <= boot.start <= after
        boots.add(boot)
        app.extensions["container"].unwire()
    assert len(boots) == 2


def test_the_real_connection_manager_is_told(make_app: MakeApp) -> None:
    """A connect registers the stream, and a disconnect removes it; unknown tokens are ignored."""
    app = make_app(sse_gateway_url="http://127.0.0.1:1")
    manager = app.extensions["container"].connection_manager()
    seen = []
    for body in (CONNECT, DISCONNECT, DISCONNECT):
        assert post(app, body) == (200, {})
        seen.append(manager.has_connection("me"))
    assert seen == [True, False, False]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "Missing JSON body"),
        (b"{", "Invalid JSON"),
        (b"NaN", "Invalid JSON"),
        (b"[]", "Unknown action: the body is not an object"),
        (b"null", "Unknown action: the body is not an object"),
        (b'{"action":"ping"}', "Unknown action: ping"),
    ],
)
def test_bad_bodies(app: Flask, connections: RecordingConnections, body: bytes, error: str) -> None:
    """Each kind of bad body has its own message, and changes nothing."""
    answer = app.test_client().post(PATH, data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (400, {"error": error})
    assert connections.calls == []


def test_invalid_payload(app: Flask) -> None:
    """A payload that does not fit its schema is refused with place and reason."""
    status, body = post(app, {**CONNECT, "token": ""})
    assert (status, body["error"], body["details"][0]["loc"]) == (
        400,
        "Invalid payload",
        ["token"],
    )


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("/api/sse/stream", "Missing request_id in URL"),
        ("/api/sse/stream?request_id=a:b", "Invalid request_id format"),
    ],
)
def test_bad_request_ids(app: Flask, url: str, error: str) -> None:
    """A connect without a valid request id is refused."""
    body = {**CONNECT, "request": {"url": url, "headers": {}}}
    assert post(app, body) == (400, {"error": error})


def test_only_post(app: Flask) -> None:
    """Other methods than POST are refused, with a JSON body."""
    answer = app.test_client().get(PATH)
    assert (answer.status_code, list(answer.json or {})) == (405, ["error"])


@pytest.fixture
def production(make_app: MakeApp) -> Flask:
    """Return an application whose callbacks need the secret."""
    app = make_app(flask_env="production", sse_callback_secret=SECRET)
    app.extensions["container"].connection_manager.override(RecordingConnections())
    return app


QUERY = "?secret=s3cret-%C3%BC/%2B"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PATH + QUERY, {}),
        (PATH + QUERY + "&secret=other", {}),
        (PATH, {"X-SSE-Secret": SECRET.encode().decode("latin-1")}),
        (PATH + "?secret=wrong", {"X-SSE-Secret": SECRET.encode().decode("latin-1")}),
    ],
)
def test_a_callback_with_the_secret_is_accepted(
    production: Flask, path: str, headers: dict[str, str]
) -> None:
    """The secret is accepted in the query, percent-encoded as UTF-8, or in the header."""
    assert post(production, path=path, headers=headers) == (200, {})


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PATH, {}),
        (PATH + "?secret=", {}),
        (PATH + "?secret=wrong", {}),
        (PATH + "?secret=s3cret", {}),
        (PATH + "?secret=other&" + QUERY[1:], {}),
        (PATH + "?secret=%FF", {}),
        (PATH, {"X-SSE-Secret": "wrong\xff"}),
        (PATH, {"Authorization": SECRET.encode().decode("latin-1")}),
    ],
)
def test_a_callback_without_the_secret_is_refused(
    production: Flask, path: str, headers: dict[str, str]
) -> None:
    """A missing, empty, wrong, partial or malformed secret is refused."""
    assert post(production, path=path, headers=headers) == (401, {"error": "Unauthorized"})


def test_the_secret_is_checked_first(production: Flask) -> None:
    """A caller without the secret learns nothing about its body or the start of the server."""
    answer = production.test_client().post(PATH, data=b"{", content_type="application/json")
    assert (answer.status_code, answer.json) == (401, {"error": "Unauthorized"})
    assert "SSE-Backend-Boot" not in answer.headers


@pytest.mark.parametrize("configured", [{}, {"sse_callback_secret": ""}])
@pytest.mark.parametrize("path", [PATH, PATH + "?secret=", PATH + "?secret=None"])
def test_production_without_a_secret_refuses_every_callback(
    make_app: MakeApp, configured: dict[str, Any], path: str
) -> None:
    """Without a configured secret, or with an empty one, every callback is refused."""
    app = make_app(flask_env="production", **configured)
    assert post(app, path=path) == (401, {"error": "Unauthorized"})


@pytest.mark.parametrize("flask_env", ["development", "testing"])
def test_outside_production_no_secret_is_needed(make_app: MakeApp, flask_env: str) -> None:
    """Outside production a wrong secret does not matter."""
    app = make_app(flask_env=flask_env, sse_callback_secret=SECRET)
    app.extensions["container"].connection_manager.override(RecordingConnections())
    assert post(app, path=PATH + "?secret=wrong") == (200, {})
