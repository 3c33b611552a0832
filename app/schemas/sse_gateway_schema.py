"""The messages between a gateway and the backend. Other fields than the named ones are ignored."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from gateway_shim.protocol.event_stream import check_event_name

__all__ = [
    "RequestId",
    "SSEGatewayConnectCallback",
    "SSEGatewayDisconnectCallback",
    "SSEGatewayEvent",
    "SSEGatewayRequest",
    "SSEGatewaySendRequest",
    "is_request_id",
]

MAX_REQUEST_ID_CHARACTERS = 200

# A colon is reserved. Control characters are of no use in an id, and would reach the logs.
_NOT_IN_REQUEST_ID = re.compile("[:\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Token = Annotated[str, Field(min_length=1)]


def is_request_id(text: str) -> bool:
    """Return whether a text can be a browser's id for its stream."""
    return 0 < len(text) <= MAX_REQUEST_ID_CHARACTERS and not _NOT_IN_REQUEST_ID.search(text)


def _check_request_id(text: str) -> str:
    if not is_request_id(text):
        raise ValueError(
            f"must be 1 to {MAX_REQUEST_ID_CHARACTERS} characters,"
            " without a colon and without control characters"
        )
    return text


RequestId = Annotated[str, AfterValidator(_check_request_id)]
"""A browser's id for its stream, as a field of a schema."""


# Only the first fault of a list is reported: to describe 49,000 faults would block the event loop
# for 0.2 s.
_Values = Annotated[list[str], Field(fail_fast=True)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SSEGatewayRequest(_Message):
    """The browser's request for a stream.

    Args:
        url: the raw request target, including the query.
        headers: the headers; names in lower case. A gateway may send a repeated header as a list.
    """

    url: str
    headers: dict[str, str | _Values] = Field(default_factory=dict)


class SSEGatewayConnectCallback(_Message):
    """A browser asks for a stream."""

    action: Literal["connect"]
    token: Token
    request: SSEGatewayRequest


class SSEGatewayDisconnectCallback(_Message):
    """A stream has ended; ``reason`` is ``client_closed``, ``server_closed`` or ``error``."""

    action: Literal["disconnect"]
    reason: str
    token: Token
    request: SSEGatewayRequest


class SSEGatewayEvent(_Message):
    """An event to write. An empty or missing ``name`` is the default type ``message``."""

    name: Annotated[str, AfterValidator(check_event_name)] = ""
    data: str


class SSEGatewaySendRequest(_Message):
    """The body of ``POST /internal/send``.

    Without an event, ``event`` is left out and not null: dump it with ``exclude_unset=True``.
    """

    token: Token
    event: SSEGatewayEvent | None = None
    close: bool = False

    @field_validator("event", mode="before")
    @classmethod
    def _check_not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("event must be an object, or left out")
        return value
