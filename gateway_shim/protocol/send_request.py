"""The body of ``POST /internal/send``, checked in the contract's order. Pure.

Source: the gateway contract (docs/contract.md), section "POST /internal/send".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway_shim.errors import BadSend
from gateway_shim.protocol import json_text
from gateway_shim.protocol.bodies import content_coding, json_content
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.http import MAX_BODY_BYTES, ErrorCode

__all__ = ["SendRequest", "parse_send"]


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A send that has passed every check.

    Args:
        token: the token of the stream.
        event: the event to write; None if there is none.
        close: True if the stream ends after the event.
    """

    token: str
    event: Event | None = None
    close: bool = False


_MISSING = object()


def parse_send(
    content_type: str | None, body: bytes, content_encoding: str | None = None
) -> SendRequest:
    """Parse and check a send, in the contract's order.

    Args:
        content_type: the request's Content-Type.
        body: the whole body of the request.
        content_encoding: the request's Content-Encoding. A compressed body must not be larger than
            the limit, neither before nor after it is decompressed.

    Raises:
        BadSend: a check failed. The error has the status, code and message for the sender.
    """
    if len(body) > MAX_BODY_BYTES:
        raise _too_large(f"the body is larger than {MAX_BODY_BYTES} bytes")
    fields = _object(_json_body(content_type, body, content_encoding))
    token = fields.get("token")
    if not isinstance(token, str) or not token:
        raise _invalid(ErrorCode.INVALID_TOKEN_MISSING, "token is required and must be a string")
    event = fields.get("event", _MISSING)
    parsed = None if event is _MISSING else _event(event)
    close = fields.get("close", False)
    if not isinstance(close, bool):
        raise _invalid(ErrorCode.INVALID_CLOSE_TYPE, "close must be a boolean")
    return SendRequest(token, parsed, close)


def _event(value: object) -> Event:
    if not isinstance(value, dict | list):
        raise _invalid(ErrorCode.INVALID_EVENT_TYPE, "event must be an object")
    fields = _object(value)
    data = fields.get("data")
    if not isinstance(data, str):
        raise _invalid(
            ErrorCode.INVALID_EVENT_DATA_MISSING, "event.data is required and must be a string"
        )
    name = fields.get("name", "")
    if not isinstance(name, str):
        raise _invalid(ErrorCode.INVALID_EVENT_NAME_TYPE, "event.name must be a string")
    try:
        return Event(name, data)
    except ValueError as exc:  # divergence 2
        raise _invalid(
            ErrorCode.INVALID_EVENT_NAME_TYPE, "event.name must not contain CR, LF or NUL"
        ) from exc


def _object(value: object) -> dict[str, Any]:
    """Return the fields of a JSON object. An array counts as an object without fields."""
    return value if isinstance(value, dict) else {}


def _json_body(content_type: str | None, body: bytes, content_encoding: str | None) -> object:
    try:
        charset = json_content.charset_of(content_type)
    except json_content.NotJson as exc:
        raise _invalid(ErrorCode.INVALID_JSON, str(exc)) from exc
    except json_content.UnknownCharset as exc:
        raise _unsupported(str(exc)) from exc
    text = json_content.text_of(_decompressed(body, content_encoding), charset)
    if not text:
        return {}
    try:
        value = json_text.parse(text)
    except ValueError as exc:
        raise _invalid(ErrorCode.INVALID_JSON, f"the body is not JSON ({exc})") from exc
    if not isinstance(value, dict | list):
        raise _invalid(ErrorCode.INVALID_JSON, "the body must be a JSON object")
    return value


def _decompressed(body: bytes, content_encoding: str | None) -> bytes:
    try:
        return content_coding.decode(content_encoding, body, MAX_BODY_BYTES)
    except content_coding.UnknownCoding as exc:
        raise _unsupported(str(exc)) from exc
    except content_coding.BrokenCoding as exc:
        raise _invalid(ErrorCode.INVALID_JSON, str(exc)) from exc
    except content_coding.TooLarge as exc:
        raise _too_large(str(exc)) from exc


def _invalid(code: ErrorCode, message: str) -> BadSend:
    return BadSend(400, code, f"Invalid request: {message}")


def _too_large(message: str) -> BadSend:
    return BadSend(413, ErrorCode.PAYLOAD_TOO_LARGE, f"Invalid request: {message}")


def _unsupported(message: str) -> BadSend:
    return BadSend(415, ErrorCode.UNSUPPORTED_ENCODING, f"Invalid request: {message}")
