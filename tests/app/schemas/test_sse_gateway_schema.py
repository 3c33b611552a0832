"""The messages between a gateway and the backend."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from app.schemas.sse_gateway_schema import (
    RequestId,
    SSEGatewayConnectCallback,
    SSEGatewayDisconnectCallback,
    SSEGatewayEvent,
    SSEGatewaySendRequest,
    is_request_id,
)

REQUEST = {"url": "/s?request_id=me", "headers": {"host": "h", "cookie": ["a=b", "c=d"]}}


def fault(model: type[BaseModel], body: dict[str, Any]) -> tuple[Any, ...]:
    """Return the place and the type of the one fault in a body."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    (error,) = caught.value.errors()
    return error["loc"]


def test_connect() -> None:
    """A connect has the token and the browser's request; headers may be lists."""
    parsed = SSEGatewayConnectCallback.model_validate(
        {"action": "connect", "token": "T", "request": {**REQUEST, "new": 1}, "new": 1}
    )
    assert parsed.model_dump() == {"action": "connect", "token": "T", "request": REQUEST}


def test_connect_without_headers() -> None:
    """A gateway may leave out the headers."""
    parsed = SSEGatewayConnectCallback.model_validate(
        {"action": "connect", "token": "T", "request": {"url": "/"}}
    )
    assert parsed.request.headers == {}


def test_disconnect() -> None:
    """A disconnect has a reason, which may be any text."""
    body = {"action": "disconnect", "reason": "new", "token": "T", "request": REQUEST}
    assert SSEGatewayDisconnectCallback.model_validate({**body, "new": 1}).model_dump() == body


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"action": "disconnect"}, ("action",)),
        ({"token": ""}, ("token",)),
        ({"token": 1}, ("token",)),
        ({"request": None}, ("request",)),
        ({"request": {"url": None}}, ("request", "url")),
        ({"request": {"url": "/", "headers": None}}, ("request", "headers")),
    ],
)
def test_connect_refuses(changes: dict[str, Any], loc: tuple[str, ...]) -> None:
    """A field of another type is a fault, because nothing is converted."""
    body = {"action": "connect", "token": "T", "request": REQUEST, **changes}
    assert fault(SSEGatewayConnectCallback, body) == loc


def test_disconnect_needs_a_reason() -> None:
    """The reason of a disconnect is required."""
    body = {"action": "disconnect", "token": "T", "request": REQUEST}
    assert fault(SSEGatewayDisconnectCallback, body) == ("reason",)


@pytest.mark.parametrize(
    "body",
    [
        {"token": "T"},
        {"token": "T", "event": {"data": ""}},
        {"token": "T", "event": {"name": "version", "data": "{}\n"}},
        {"token": "T", "close": True},
        {"token": "T", "event": {"data": "bye"}, "close": False},
    ],
)
def test_send_is_written_as_it_was_given(body: dict[str, Any]) -> None:
    """A field that was left out stays left out, because the contract refuses null."""
    assert SSEGatewaySendRequest.model_validate(body).model_dump(exclude_unset=True) == body


def test_send_is_built_by_name() -> None:
    """A send can be built from its fields by name."""
    request = SSEGatewaySendRequest(token="T", event=SSEGatewayEvent(name="n", data="d"))
    assert request.model_dump_json(exclude_unset=True) == (
        '{"token":"T","event":{"name":"n","data":"d"}}'
    )


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"token": ""}, ("token",)),
        ({"event": None}, ("event",)),
        ({"event": {}}, ("event", "data")),
        ({"event": {"data": 5}}, ("event", "data")),
        ({"event": {"data": "", "name": None}}, ("event", "name")),
        ({"event": {"data": "", "name": "a\nb"}}, ("event", "name")),
        ({"event": {"data": "", "name": "a\n"}}, ("event", "name")),
        ({"event": {"data": "", "name": "\0"}}, ("event", "name")),
        ({"close": None}, ("close",)),
        ({"close": 1}, ("close",)),
    ],
)
def test_send_refuses_what_the_contract_refuses(
    changes: dict[str, Any], loc: tuple[str, ...]
) -> None:
    """A null is not a missing field, and a name cannot forge a line."""
    assert fault(SSEGatewaySendRequest, {"token": "T", **changes}) == loc


@pytest.mark.parametrize("text", ["x", "x" * 200, "a b", "ü", "👩‍💻", "3f0c-1"])
def test_request_ids(text: str) -> None:
    """Any short text can be a request id."""
    assert is_request_id(text)


@pytest.mark.parametrize(
    "text", ["", "x" * 201, ":", "a:b", "\n", "\x00", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
)
def test_no_request_ids(text: str) -> None:
    """A text that is empty, too long, reserved or unprintable is not a request id."""
    assert not is_request_id(text)


class _Holder(BaseModel):
    request_id: RequestId


def test_request_id_as_a_field() -> None:
    """As a field, a request id follows the same rule, and the message says what is allowed."""
    assert _Holder(request_id="me").request_id == "me"
    with pytest.raises(ValidationError) as caught:
        _Holder(request_id="a:b")
    assert [error["msg"] for error in caught.value.errors()] == [
        "Value error, must be 1 to 200 characters, without a colon and without control characters"
    ]
