"""The JSON body of the current request."""

from __future__ import annotations

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient

from app.api.errors import register_error_handlers
from app.api.json_body import MAX_JSON_BYTES, read_json


@pytest.fixture
def client() -> FlaskClient:
    """A client of an application that answers with the body it got."""
    app = Flask(__name__)
    register_error_handlers(app)
    app.post("/")(lambda: jsonify(body=read_json()))
    return app.test_client()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, "\xc3\xbc"]}', {"a": [1, 2.5, "ü"]}),
        (b"\xef\xbb\xbf{}", {}),
        (b" null\n", None),
        (b'"a"', "a"),
    ],
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/x+json"]
)
def test_parses_json(client: FlaskClient, body: bytes, value: object, content_type: str) -> None:
    """Any JSON text in UTF-8 is taken."""
    answer = client.post("/", data=body, content_type=content_type)
    assert (answer.status_code, answer.json) == (200, {"body": value})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "Missing JSON body"),
        (b" \r\n\t", "Missing JSON body"),
        (b"{", "Invalid JSON"),
        (b"{} {}", "Invalid JSON"),
        (b"NaN", "Invalid JSON"),
        (b'{"a": -Infinity}', "Invalid JSON"),
        (b'"\xff"', "Invalid JSON"),
        ("{}".encode("utf-16"), "Invalid JSON"),
        (b"1" * 5000, "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
    ],
)
def test_refuses_what_is_no_json(client: FlaskClient, body: bytes, error: str) -> None:
    """A body that is missing and one that does not parse are told apart."""
    answer = client.post("/", data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (400, {"error": error})


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", "", None]
)
def test_refuses_what_does_not_say_json(client: FlaskClient, content_type: str | None) -> None:
    """What any page may post to any server is refused, whatever the body is."""
    answer = client.post("/", data=b"{}", content_type=content_type)
    message = "The body must be JSON: send Content-Type: application/json"
    assert (answer.status_code, answer.json) == (415, {"error": message})
    answer = client.post("/", content_type=content_type)
    assert (answer.status_code, answer.json) == (400, {"error": "Missing JSON body"})


def test_refuses_what_is_too_large(client: FlaskClient) -> None:
    """The bound is the last size that is read; the application's setting may be another."""
    fits, too_large = (b"1".rjust(size) for size in (102_400, 102_401))
    kind = "application/json"
    assert client.post("/", data=fits, content_type=kind).status_code == 200
    assert client.post("/", data=too_large, content_type=kind).status_code == 413
    client.application.config[MAX_JSON_BYTES] = 102_401
    assert client.post("/", data=too_large, content_type=kind).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_compressed(client: FlaskClient, coding: str) -> None:
    """A compressed body is refused as such, not as a body that is not JSON."""
    answer = client.post(
        "/", data=b"\x1f\x8b", content_type="application/json", headers={"Content-Encoding": coding}
    )
    assert answer.status_code == 415
    message = f"The body's Content-Encoding is {coding!r}; send the body uncompressed"
    assert answer.json == {"error": message}


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_not_compressed(client: FlaskClient, coding: str) -> None:
    """A body that says it is as it is needs nothing."""
    answer = client.post(
        "/", data=b"{}", content_type="application/json", headers={"Content-Encoding": coding}
    )
    assert (answer.status_code, answer.json) == (200, {"body": {}})


def test_a_long_coding(client: FlaskClient) -> None:
    """The answer does not repeat all of it."""
    answer = client.post(
        "/",
        data=b"{}",
        content_type="application/json",
        headers={"Content-Encoding": "x" * 15_000},
    )
    assert answer.status_code == 415
    assert len(answer.data) < 300
