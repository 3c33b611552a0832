"""The JSON body of the current request."""

from __future__ import annotations

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient

from app.api.errors import register_error_handlers
from app.api.json_body import MAX_JSON_BYTES, read_json


@pytest.fixture
def client() -> FlaskClient:
    """Return a client of an application that answers with the body it got."""
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
def test_json_is_parsed(client: FlaskClient, body: bytes, value: object, content_type: str) -> None:
    """Any JSON text in UTF-8 is accepted."""
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
def test_a_body_that_is_not_json_is_refused(client: FlaskClient, body: bytes, error: str) -> None:
    """A missing body and an invalid one have different messages."""
    answer = client.post("/", data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (400, {"error": error})


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", "", None]
)
def test_another_content_type_is_refused(client: FlaskClient, content_type: str | None) -> None:
    """A content type that any page can post to any server is refused, whatever the body is."""
    answer = client.post("/", data=b"{}", content_type=content_type)
    message = "The body must be JSON: send Content-Type: application/json"
    assert (answer.status_code, answer.json) == (415, {"error": message})
    answer = client.post("/", content_type=content_type)
    assert (answer.status_code, answer.json) == (400, {"error": "Missing JSON body"})


def test_a_large_body_is_refused(client: FlaskClient) -> None:
    """The largest size is accepted, one more byte is refused; the application can set it."""
    fits, too_large = (b"1".rjust(size) for size in (102_400, 102_401))
    kind = "application/json"
    assert client.post("/", data=fits, content_type=kind).status_code == 200
    assert client.post("/", data=too_large, content_type=kind).status_code == 413
    client.application.config[MAX_JSON_BYTES] = 102_401
    assert client.post("/", data=too_large, content_type=kind).status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_compressed(client: FlaskClient, coding: str) -> None:
    """A compressed body is refused as compressed, not as invalid JSON."""
    answer = client.post(
        "/", data=b"\x1f\x8b", content_type="application/json", headers={"Content-Encoding": coding}
    )
    assert answer.status_code == 415
    message = f"The body's Content-Encoding is {coding!r}; send the body uncompressed"
    assert answer.json == {"error": message}


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_not_compressed(client: FlaskClient, coding: str) -> None:
    """A body with the coding identity is accepted."""
    answer = client.post(
        "/", data=b"{}", content_type="application/json", headers={"Content-Encoding": coding}
    )
    assert (answer.status_code, answer.json) == (200, {"body": {}})


def test_a_long_coding(client: FlaskClient) -> None:
    """The answer repeats only the beginning of a long coding."""
    answer = client.post(
        "/",
        data=b"{}",
        content_type="application/json",
        headers={"Content-Encoding": "x" * 15_000},
    )
    assert answer.status_code == 415
    assert len(answer.data) < 300
