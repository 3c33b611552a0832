"""Every row of the contract's table of sends, in its order."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.errors import BadSend
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import MAX_BODY_BYTES
from gateway_shim.protocol.send_request import SendRequest, parse_send

JSON = "application/json"

TOKEN = "INVALID_TOKEN_MISSING", "token is required and must be a string"
EVENT = "INVALID_EVENT_TYPE", "event must be an object"
DATA = "INVALID_EVENT_DATA_MISSING", "event.data is required and must be a string"
NAME = "INVALID_EVENT_NAME_TYPE", "event.name must be a string"
UNSAFE = "INVALID_EVENT_NAME_TYPE", "event.name must not contain CR, LF or NUL"
CLOSE = "INVALID_CLOSE_TYPE", "close must be a boolean"

NO_JSON = [None, True, 0, 5, 1.5, "", "x", [], {}]
NO_STRING = [None, True, 0, 5, 1.5, [], ["x"], {}]

REFUSED = [
    ({}, TOKEN),
    *(({"token": token}, TOKEN) for token in [*NO_STRING, ""]),
    ([], TOKEN),
    ([1], TOKEN),
    ([{"token": "t"}], TOKEN),
    *(({"token": "t", "event": event}, EVENT) for event in (None, True, 0, 5, "", "x")),
    ({"token": "t", "event": []}, DATA),
    ({"token": "t", "event": ["data"]}, DATA),
    ({"token": "t", "event": {}}, DATA),
    ({"token": "t", "event": {"name": "n"}}, DATA),
    *(({"token": "t", "event": {"data": data}}, DATA) for data in NO_STRING),
    *(({"token": "t", "event": {"name": name, "data": "d"}}, NAME) for name in NO_STRING),
    *(
        ({"token": "t", "event": {"name": name, "data": "d"}}, UNSAFE)
        for name in ("a\nb", "a\rb", "\r\n", "a\0", "\n")
    ),
    *(({"token": "t", "close": close}, CLOSE) for close in (None, 0, 1, "", "true", [], {})),
    # The order of the checks: token, event, its data, its name, close.
    ({"event": None, "close": None}, TOKEN),
    ({"token": "t", "event": None, "close": None}, EVENT),
    ({"token": "t", "event": {"name": 1}, "close": None}, DATA),
    ({"token": "t", "event": {"name": 1, "data": ""}, "close": None}, NAME),
    ({"token": "t", "event": {"name": "\n", "data": ""}, "close": None}, UNSAFE),
    ({"token": "t", "event": {"data": ""}, "close": None}, CLOSE),
]

ACCEPTED = [
    ({"token": "t"}, SendRequest("t")),
    ({"token": " "}, SendRequest(" ")),
    ({"token": "t", "close": False}, SendRequest("t")),
    ({"token": "t", "close": True}, SendRequest("t", close=True)),
    ({"token": "t", "event": {"data": ""}}, SendRequest("t", Event("", ""))),
    ({"token": "t", "event": {"name": "", "data": "d"}}, SendRequest("t", Event("", "d"))),
    (
        {"token": "t", "event": {"name": "n", "data": "a\r\n\0"}, "close": True},
        SendRequest("t", Event("n", "a\r\n\0"), close=True),
    ),
    (
        {"zzz": 1, "token": "t", "event": {"data": "d", "id": 5, "retry": 9}},
        SendRequest("t", Event("", "d")),
    ),
    (
        {"token": "t", "event": {"name": "\u2028\x85\v\t", "data": "😀"}},
        SendRequest("t", Event("\u2028\x85\v\t", "😀")),
    ),
]


def refusal_of(content_type: str | None, body: bytes) -> tuple[int, str, str]:
    """Status, code and message of a send that must be refused."""
    with pytest.raises(BadSend) as caught:
        parse_send(content_type, body)
    return caught.value.status, caught.value.code, caught.value.message


@pytest.mark.parametrize(("fields", "expected"), REFUSED)
def test_refused(fields: Any, expected: tuple[str, str]) -> None:
    """What breaks the contract is refused with the status, code and message of its row."""
    code, message = expected
    answer = refusal_of(JSON, json.dumps(fields).encode())
    assert answer == (400, code, f"Invalid request: {message}")


@pytest.mark.parametrize(("fields", "expected"), ACCEPTED)
def test_accepted(fields: Any, expected: SendRequest) -> None:
    """What keeps the contract comes out as it was sent; unknown fields are ignored."""
    assert parse_send(JSON, json.dumps(fields).encode()) == expected


def test_last_of_repeated_fields_wins() -> None:
    """As in JavaScript, a field that is given twice has its last value."""
    body = b'{"token":"a","token":"b"}'
    assert parse_send(JSON, body) == SendRequest("b")


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
    """A body's depth changes nothing, wherever it is deep: fields that are unknown are ignored."""
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
    """No body at all is an object without fields, as the recordings show."""
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
    """A body that is no JSON object or array is refused in JSON (divergence 1)."""
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
    """Only application/json is looked at (divergence 1); even an empty body must say so."""
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
    """Unicode's encodings are understood, with and without a byte order mark."""
    body = '{"token":"é😀"}'.encode(encoding)
    assert parse_send(content_type, body) == SendRequest("é😀")


@pytest.mark.parametrize(
    "charset",
    ["iso-8859-1", "latin1", "utf-9", "utf-", "utf_8", "utf-8-sig", "'utf-8'", "rot13", "hex"],
)
def test_other_charsets(charset: str) -> None:
    """No other charset is decoded, known to Python or not."""
    for body in (b'{"token":"t"}', b""):
        assert refusal_of(f"application/json; charset={charset}", body) == (
            415,
            "UNSUPPORTED_ENCODING",
            f"Invalid request: the charset {charset!r} is not supported; use utf-8",
        )


def test_bytes_that_are_no_text() -> None:
    """Bytes that are not UTF-8 become U+FFFD, as the recordings show."""
    assert parse_send(JSON, b'{"token":"\xe9"}') == SendRequest("\ufffd")


@pytest.mark.parametrize("escaped", [r"\ud800", r"\udc00x", r"\ud83d\ude00"])
def test_surrogates(escaped: str) -> None:
    """Escaped surrogates are taken as they are: pairs are joined, lone ones stay."""
    data = json.loads(f'"{escaped}"')
    body = f'{{"token":"t","event":{{"data":"{escaped}"}}}}'.encode()
    assert parse_send(JSON, body) == SendRequest("t", Event("", data))


def test_size_limit() -> None:
    """The largest body is 102,400 bytes; one more is too large, whatever is in it."""
    assert MAX_BODY_BYTES == 102_400
    empty = len(b'{"token":""}')
    token = "t" * (MAX_BODY_BYTES - empty)
    assert parse_send(JSON, b'{"token":"%b"}' % token.encode()) == SendRequest(token)
    assert refusal_of(None, b"x" * (MAX_BODY_BYTES + 1)) == (
        413,
        "PAYLOAD_TOO_LARGE",
        "Invalid request: the body is larger than 102400 bytes",
    )


@given(content_type=st.none() | st.just(JSON) | st.text(), body=st.binary())
def test_nothing_else_is_raised(content_type: str | None, body: bytes) -> None:
    """Whatever arrives, a send is taken or refused; there is no third way."""
    with contextlib.suppress(BadSend):
        assert parse_send(content_type, body).token


_values = st.sampled_from([*NO_JSON, "n", "a\nb", True, False])


@given(
    st.dictionaries(st.sampled_from(["token", "event", "close"]), _values)
    | st.fixed_dictionaries(
        {"token": st.just("t")},
        optional={
            "event": st.dictionaries(st.sampled_from(["name", "data"]), _values),
            "close": _values,
        },
    )
)
def test_what_is_taken_is_well_formed(fields: Any) -> None:
    """A send that is taken has a token, and no name that could forge a line."""
    try:
        send = parse_send(JSON, json.dumps(fields).encode())
    except BadSend:
        return
    assert send.token == fields["token"]
    assert send.close is fields.get("close", False)
    if send.event is not None:
        assert not set(send.event.name or "") & set("\r\n\0")
        assert send.event.data == fields["event"]["data"]


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
    """The type is checked before the coding, the coding before the text; the size always."""
    with pytest.raises(BadSend) as caught:
        parse_send(content_type, body, coding)
    assert (caught.value.status, caught.value.code) == expected
