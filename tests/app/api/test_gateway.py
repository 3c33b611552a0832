"""``/internal/send`` in Flask, and the stream's path where no stream can be opened."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.serving.backend_runtime import STREAM_PATH
from gateway_shim.errors import UnknownToken, WriteFailed
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.gateway import SendStatus
from tests.app.conftest import MakeApp

PATH = "/internal/send"
SECRET = "s3cret-ü"


class RecordingGateway:
    """A gateway that records sends, and returns or raises what the test has set."""

    def __init__(self) -> None:
        self.sends: list[tuple[str, Event | None, bool]] = []
        self.outcome: SendStatus | Exception = SendStatus.OK

    def send(self, token: str, event: Event | None = None, *, close: bool = False) -> SendStatus:
        """Record a send."""
        self.sends.append((token, event, close))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def gateway() -> RecordingGateway:
    """Return the fake gateway."""
    return RecordingGateway()


@pytest.fixture
def app(make_app: MakeApp, gateway: RecordingGateway) -> Flask:
    """Return an application whose /internal/send is on."""
    return with_gateway(make_app(sse_internal_send="on"), gateway)


def with_gateway(app: Flask, gateway: RecordingGateway) -> Flask:
    """Replace the gateway of an application with the fake."""
    app.extensions["container"].gateway.override(gateway)
    return app


def post(app: Flask, body: object = None, **kwargs: Any) -> TestResponse:
    """Post a body: bytes as they are, anything else as JSON."""
    if isinstance(body, bytes):
        kwargs = {"data": body, "content_type": "application/json", **kwargs}
    else:
        kwargs = {"json": body, **kwargs}
    return app.test_client().post(kwargs.pop("path", PATH), **kwargs)


def error(answer: TestResponse) -> tuple[int, str, str]:
    """Return status, code and message of a gateway's error."""
    assert answer.content_type == "application/json; charset=utf-8"
    body: Any = answer.json
    assert (list(body), list(body["error"])) == (["error"], ["message", "code"])
    return answer.status_code, body["error"]["code"], body["error"]["message"]


def test_off_by_default(make_app: MakeApp, gateway: RecordingGateway) -> None:
    """By default the answer is 404 and says how to turn the endpoint on; nothing is sent."""
    answer = post(with_gateway(make_app(), gateway), {"token": "T"})
    assert (answer.status_code, answer.content_type) == (404, "application/json")
    assert answer.json == {"error": "POST /internal/send is off; SSE_INTERNAL_SEND=on turns it on"}
    assert gateway.sends == []


@pytest.mark.parametrize("internal_send", ["on", "off"])
def test_other_methods(make_app: MakeApp, internal_send: Any) -> None:
    """Other methods than POST are refused."""
    answer = make_app(sse_internal_send=internal_send).test_client().get(PATH)
    assert (answer.status_code, set(answer.allow)) == (405, {"OPTIONS", "POST"})
    assert isinstance(answer.json["error"], str)  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"token": "T"}, ("T", None, False)),
        ({"token": "T", "close": True}, ("T", None, True)),
        ({"token": "T", "event": {"data": ""}}, ("T", Event("", ""), False)),
        (
            {"token": "T", "event": {"name": "n", "data": "é"}, "close": False, "more": 1},
            ("T", Event("n", "é"), False),
        ),
    ],
)
@pytest.mark.parametrize("status", [SendStatus.OK, SendStatus.BUFFERED])
def test_sends(
    app: Flask, gateway: RecordingGateway, body: Any, sent: tuple[Any, ...], status: SendStatus
) -> None:
    """A send is answered with 200 and its result, byte for byte as in the contract."""
    gateway.outcome = status
    answer = post(app, body)
    assert (answer.status_code, answer.content_type, answer.data) == (
        200,
        "application/json; charset=utf-8",
        b'{"status":"%b"}' % status.encode(),
    )
    assert gateway.sends == [sent]


REQUIRED = "Invalid request: token is required and must be a string"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({}, "INVALID_TOKEN_MISSING", REQUIRED),
        ({"token": ""}, "INVALID_TOKEN_MISSING", REQUIRED),
        ({"token": 1, "event": None}, "INVALID_TOKEN_MISSING", REQUIRED),
        ([], "INVALID_TOKEN_MISSING", REQUIRED),
        (
            {"token": "T", "event": None, "close": 1},
            "INVALID_EVENT_TYPE",
            "Invalid request: event must be an object",
        ),
        (
            {"token": "T", "event": []},
            "INVALID_EVENT_DATA_MISSING",
            "Invalid request: event.data is required and must be a string",
        ),
        (
            {"token": "T", "event": {"data": {}}},
            "INVALID_EVENT_DATA_MISSING",
            "Invalid request: event.data is required and must be a string",
        ),
        (
            {"token": "T", "event": {"data": "", "name": None}},
            "INVALID_EVENT_NAME_TYPE",
            "Invalid request: event.name must be a string",
        ),
        (
            {"token": "T", "event": {"data": "", "name": "a\nb"}},
            "INVALID_EVENT_NAME_TYPE",
            "Invalid request: event.name must not contain CR, LF or NUL",
        ),
        (
            {"token": "T", "close": None},
            "INVALID_CLOSE_TYPE",
            "Invalid request: close must be a boolean",
        ),
    ],
)
def test_bad_sends(
    app: Flask, gateway: RecordingGateway, body: Any, code: str, message: str
) -> None:
    """A bad send is answered with 400, and the contract's code and message; nothing is sent."""
    assert error(post(app, body)) == (400, code, message)
    assert gateway.sends == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{", "application/json"),
        (b'"text"', "application/json"),
        (b'{"token":"T","close":NaN}', "application/json"),
        (b'{"token":"T"}', "text/plain"),
        (b'{"token":"T"}', "application/x-www-form-urlencoded"),
    ],
)
def test_bodies_that_are_not_json(
    app: Flask, gateway: RecordingGateway, body: bytes, content_type: str
) -> None:
    """A body that is not JSON is answered with 400 as JSON (divergence 1)."""
    status, code, _ = error(post(app, body, content_type=content_type))
    assert (status, code, gateway.sends) == (400, "INVALID_JSON", [])


def body_of(size: int) -> bytes:
    """Return a good body of a given size."""
    empty = json.dumps({"token": "T", "event": {"data": ""}}).encode()
    return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')


def test_the_largest_body(app: Flask, gateway: RecordingGateway) -> None:
    """A body of 102,400 bytes is accepted; one more byte is answered with 413."""
    assert post(app, body_of(102_400)).status_code == 200
    status, code, _ = error(post(app, body_of(102_401)))
    assert (status, code, len(gateway.sends)) == (413, "PAYLOAD_TOO_LARGE", 1)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (UnknownToken("T"), (404, "TOKEN_NOT_FOUND", "Token not found")),
        (WriteFailed("T"), (500, "WRITE_FAILED", "Write failed: connection closed")),
    ],
)
def test_sends_that_fail(
    app: Flask, gateway: RecordingGateway, outcome: Exception, expected: tuple[int, str, str]
) -> None:
    """An unknown token is answered with 404, and a stream that ended during the send with 500."""
    gateway.outcome = outcome
    assert error(post(app, {"token": "T"})) == expected


def test_production_needs_the_secret(make_app: MakeApp, gateway: RecordingGateway) -> None:
    """In production a send needs the secret; without it the body is not read."""
    settings = {"flask_env": "production", "sse_internal_send": "on"}
    app = with_gateway(make_app(**settings, sse_callback_secret=SECRET), gateway)
    for path in (PATH, PATH + "?secret=wrong"):
        answer = post(app, b"{", path=path)
        assert (answer.status_code, answer.json) == (401, {"error": "Unauthorized"})
    assert gateway.sends == []
    assert post(app, {"token": "T"}, path=f"{PATH}?secret={SECRET}").status_code == 200
    header = {"X-SSE-Secret": SECRET.encode().decode("latin-1")}
    assert post(app, {"token": "T"}, headers=header).status_code == 200


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://gateway:3000", "http://gateway:3000"),
        ("http://me:hunter2@gateway:3000", "http://***@gateway:3000"),
    ],
)
def test_a_stream_of_another_gateway(make_app: MakeApp, url: str, shown: str) -> None:
    """If another gateway serves the streams, the answer is 503 with its URL, without password."""
    answer = make_app(sse_gateway_url=url).test_client().get(STREAM_PATH + "?request_id=me")
    assert (answer.status_code, answer.json) == (
        503,
        {"error": f"Streams are served by the gateway at {shown}"},
    )


def test_an_escaped_path(make_app: MakeApp) -> None:
    """An escaped stream path is not found, because the worker compares raw paths."""
    path = STREAM_PATH.replace("m", "%6d")
    answer = make_app().test_client().get(path, environ_overrides={"RAW_URI": path + "?x"})
    assert (answer.status_code, answer.json) == (
        404,
        {"error": f"The stream's path is {STREAM_PATH}, without escapes"},
    )


def test_a_stream_under_another_server(make_app: MakeApp) -> None:
    """Under another server, a stream is answered with 503 that says how to start ours."""
    answer = make_app().test_client().get(STREAM_PATH)
    body: Any = answer.json
    assert (answer.status_code, "sse-monolith serve" in body["error"]) == (503, True)


def test_compressed_send(app: Flask, gateway: RecordingGateway) -> None:
    """A compressed body is accepted as by any gateway; an unknown coding is answered with 415."""
    body = gzip.compress(b'{"token":"T","event":{"data":"x"}}')
    answer = post(app, body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert gateway.sends == [("T", Event("", "x"), False)]
    answer = post(app, body, headers={"Content-Encoding": "br"})
    assert error(answer)[:2] == (415, "UNSUPPORTED_ENCODING")
    answer = post(app, body)
    assert error(answer)[:2] == (400, "INVALID_JSON")
