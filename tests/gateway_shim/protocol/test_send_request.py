"""Tests of sends: every row of the contract's table, in its order."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shim.errors import BadSend
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import MAX_BODY_BYTES
from gateway_shim.protocol.send_request import SendRequest, parse_send
from tests.gateway_shim.sends import CLOSE, DATA, JSON, TOKEN, refusal_of

EVENT = "INVALID_EVENT_TYPE", "event must be an object"

NAME = "INVALID_EVENT_NAME_TYPE", "event.name must be a string"

UNSAFE = "INVALID_EVENT_NAME_TYPE", "event.name must not contain CR, LF or NUL"

NO_JSON: list[Any] = [None, True, 0, 5, 1.5, "", "x", [], {}]

NO_BOOLEAN: list[Any] = [None, 0, 1, "", "true", [], {}]
NO_STRING: list[Any] = [None, True, 0, 5, 1.5, [], ["x"], {}]

REFUSED: list[tuple[Any, tuple[str, str]]] = [
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
    *(({"token": "t", "close": close}, CLOSE) for close in NO_BOOLEAN),
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


@pytest.mark.parametrize(("fields", "expected"), REFUSED)
def test_refused(fields: Any, expected: tuple[str, str]) -> None:
    """A send that breaks the contract is refused with the status, code and message of its row."""
    code, message = expected
    answer = refusal_of(JSON, json.dumps(fields).encode())
    assert answer == (400, code, f"Invalid request: {message}")


@pytest.mark.parametrize(("fields", "expected"), ACCEPTED)
def test_accepted(fields: Any, expected: SendRequest) -> None:
    """A send that follows the contract is accepted; unknown fields are ignored."""
    assert parse_send(JSON, json.dumps(fields).encode()) == expected


def test_last_of_repeated_fields_wins() -> None:
    """The last value of a repeated field counts, as in JavaScript."""
    body = b'{"token":"a","token":"b"}'
    assert parse_send(JSON, body) == SendRequest("b")


def test_size_limit() -> None:
    """The largest body has 102,400 bytes; a larger one is refused, whatever it contains."""
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
    """Any body is accepted or refused; no other error is raised."""
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
def test_an_accepted_send_is_well_formed(fields: Any) -> None:
    """An accepted send has a token, and no event name that could forge a line."""
    try:
        send = parse_send(JSON, json.dumps(fields).encode())
    except BadSend:
        return
    assert send.token == fields["token"]
    assert send.close is fields.get("close", False)
    if send.event is not None:
        assert not set(send.event.name or "") & set("\r\n\0")
        assert send.event.data == fields["event"]["data"]
