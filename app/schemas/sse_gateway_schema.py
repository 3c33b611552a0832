"""What a gateway and the backend tell each other. Fields that are not named here are ignored."""

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

# A colon is reserved; control characters have no business in an id, and end up in logs.
_NOT_IN_REQUEST_ID = re.compile("[:\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Token = Annotated[str, Field(min_length=1)]


def is_request_id(text: str) -> bool:
    """Whether a text can be a browser's id for its stream."""
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


# One fault is enough of a list: describing 49,000 would keep the event loop for 0.2 s.
_Values = Annotated[list[str], Field(fail_fast=True)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SSEGatewayRequest(_Message):
    """The browser's request for a stream.

    Args:
        url: the raw request target, query included.
        headers: lower-case names; a gateway may give a repeated header as a list.
    """

    url: str
    headers: dict[str, str | _Values] = Field(default_factory=dict)


class SSEGatewayConnectCallback(_Message):
    """A browser wants a stream."""

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
    """An event to write; ``name`` empty or left out is the default type ``message``."""

    name: Annotated[str, AfterValidator(check_event_name)] = ""
    data: str


class SSEGatewaySendRequest(_Message):
    """The body of ``POST /internal/send``.

    ``event`` is left out, not null, when there is none: dump it with ``exclude_unset=True``.
    """

    token: Token
    event: SSEGatewayEvent | None = None
    close: bool = False

    @field_validator("event", mode="before")
    @classmethod
    def _is_no_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("event must be an object, or left out")
        return value
