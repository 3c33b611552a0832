"""Tests of sends: bodies that are deep, not JSON, compressed, or in other charsets."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from gateway_shim.errors import BadSend
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.send_request import SendRequest, parse_send
from tests.gateway_shim.sends import CLOSE, DATA, JSON, TOKEN, refusal_of


@pytest.mark.parametrize(
    "deep",
    ["[" * 5000 + "]" * 5000, "[" * 40_000 + "]" * 40_000, '{"a":' * 5000 + "1" + "}" * 5000],
    ids=["arrays", "many arrays", "objects"],
)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"x":%s,"token":"t","close":true}', SendRequest("t", None, True)),
        ('{"token":"t","event":{"x":%s,"data":"d"}}', SendRequest("t", Event("", "d"))),
        ('{"token":%s}', TOKEN),
        ('{"token":"t","event":%s}', DATA),
        ('{"token":"t","event":{"data":%s}}', DATA),
        ('{"token":"t","close":%s}', CLOSE),
        ("%s", TOKEN),
    ],
)
def test_nested_deep(deep: str, body: str, expected: Any) -> None:
    """The depth of a body does not change the result, and unknown fields are ignored."""
    text = (body % deep).encode()
    if isinstance(expected, SendRequest):
        assert parse_send(JSON, text) == expected
        return
    with pytest.raises(BadSend) as refused:
        parse_send(JSON, text)
    assert (refused.value.code, refused.value.message) == (
        expected[0],
        f"Invalid request: {expected[1]}",
    )


def test_empty_body_has_no_token() -> None:
    """An empty body counts as an object without fields, as the recordings show."""
    assert refusal_of(JSON, b"")[1] == "INVALID_TOKEN_MISSING"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'token':'t'}",
        b"null",
        b'"t"',
        b"5",
        b"true",
        b" ",
        b"NaN",
        b'{"token":NaN}',
        b'{"token":"t"}x',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_no_json(body: bytes) -> None:
    """A body that is not a JSON object or array is refused with a JSON error (divergence 1)."""
    status, code, message = refusal_of(JSON, body)
    assert (status, code) == (400, "INVALID_JSON")
    assert message.startswith("Invalid request: the body ")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/vnd.api+json",
        "application/jsonp",
        "text/plain; x=application/json",
        "application/json; charset",
        "application/json; =utf-8",
        "application/json, application/json",
        'application/json; x="',
    ],
)
def test_other_content_types(content_type: str | None) -> None:
    """Only application/json is accepted (divergence 1), even for an empty body."""
    expected = 400, "INVALID_JSON", "Invalid request: the Content-Type must be application/json"
    assert refusal_of(content_type, b'{"token":"t"}') == expected
    assert refusal_of(content_type, b"") == expected


@pytest.mark.parametrize(
    ("content_type", "encoding"),
    [
        ("application/json", "utf-8"),
        (" Application/JSON ;charset=UTF-8", "utf-8"),
        ('application/json; charset="utf-8"', "utf-8"),
        ("application/json; charset = utf-8", "utf-8"),
        ("application/json; x=y; charset=utf-8", "utf-8"),
        ("application/json; xcharset=utf-16", "utf-8"),
        ("application/json; charset=utf-8; Charset=utf-16", "utf-16"),
        (r'application/json; charset="utf\-16"', "utf-16"),
        ("application/json; charset=utf-16", "utf-16"),
        ("application/json; charset=utf-16le", "utf-16le"),
        ("application/json; charset=UTF-32", "utf-32"),
        ("application/json", "utf-8-sig"),
        (r'application/json; x="a;\"b"; charset=utf-16', "utf-16"),
    ],
)
def test_charsets(content_type: str, encoding: str) -> None:
    """The encodings of Unicode are decoded, with and without a byte order mark."""
    body = '{"token":"é😀"}'.encode(encoding)
    assert parse_send(content_type, body) == SendRequest("é😀")


@pytest.mark.parametrize(
    "charset",
    ["iso-8859-1", "latin1", "utf-9", "utf-", "utf_8", "utf-8-sig", "'utf-8'", "rot13", "hex"],
)
def test_other_charsets(charset: str) -> None:
    """Other charsets are refused, even if Python knows them."""
    for body in (b'{"token":"t"}', b""):
        assert refusal_of(f"application/json; charset={charset}", body) == (
            415,
            "UNSUPPORTED_ENCODING",
            f"Invalid request: the charset {charset!r} is not supported; use utf-8",
        )


def test_bytes_that_are_not_utf_8() -> None:
    """Bytes that are not UTF-8 become U+FFFD, as the recordings show."""
    assert parse_send(JSON, b'{"token":"\xe9"}') == SendRequest("\ufffd")


@pytest.mark.parametrize("escaped", [r"\ud800", r"\udc00x", r"\ud83d\ude00"])
def test_surrogates(escaped: str) -> None:
    """Escaped surrogates are kept: pairs are joined, and lone ones stay."""
    data = json.loads(f'"{escaped}"')
    body = f'{{"token":"t","event":{{"data":"{escaped}"}}}}'.encode()
    assert parse_send(JSON, body) == SendRequest("t", Event("", data))


@pytest.mark.parametrize(
    ("content_type", "coding", "body", "expected"),
    [
        ("text/plain", "x", b"{}", (400, "INVALID_JSON")),
        (JSON, "x", b"{]", (415, "UNSUPPORTED_ENCODING")),
        (JSON, "gzip", b"", (400, "INVALID_JSON")),
        (JSON, "gzip", gzip.compress(b"{]"), (400, "INVALID_JSON")),
        (JSON, "gzip", gzip.compress(b""), (400, "INVALID_TOKEN_MISSING")),
        (JSON, "gzip", gzip.compress(b"{}" + b" " * 102_398), (400, "INVALID_TOKEN_MISSING")),
        (JSON, "gzip", gzip.compress(b"{}" + b" " * 102_399), (413, "PAYLOAD_TOO_LARGE")),
        (JSON, "gzip", b"x" * 102_401, (413, "PAYLOAD_TOO_LARGE")),
    ],
    ids=["type", "coding", "nothing", "no JSON", "empty", "largest", "too large", "sent too large"],
)
def test_compressed(content_type: str, coding: str, body: bytes, expected: tuple[int, str]) -> None:
    """The type is checked before the coding, the coding before the text, and the size always."""
    with pytest.raises(BadSend) as caught:
        parse_send(content_type, body, coding)
    assert (caught.value.status, caught.value.code) == expected
