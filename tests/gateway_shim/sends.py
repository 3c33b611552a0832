"""Helpers of the tests of sends."""

from __future__ import annotations

import pytest

from gateway_shim.errors import BadSend
from gateway_shim.protocol.send_request import parse_send

JSON = "application/json"

TOKEN = "INVALID_TOKEN_MISSING", "token is required and must be a string"

DATA = "INVALID_EVENT_DATA_MISSING", "event.data is required and must be a string"

CLOSE = "INVALID_CLOSE_TYPE", "close must be a boolean"


def refusal_of(content_type: str | None, body: bytes) -> tuple[int, str, str]:
    """Return the status, code and message of a send that must be refused."""
    with pytest.raises(BadSend) as caught:
        parse_send(content_type, body)
    return caught.value.status, caught.value.code, caught.value.message
