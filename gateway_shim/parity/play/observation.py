"""Observations in the form of the recordings: heads, bodies, answers, callbacks, tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from gateway_shim.parity.play.probe import Head, ProbeConnection
from gateway_shim.parity.play.session import Callback

__all__ = ["KEPT_HEADERS", "answer", "as_text", "callback", "head", "normalise", "resolve"]

KEPT_HEADERS = (
    "content-type",
    "cache-control",
    "connection",
    "x-accel-buffering",
    "transfer-encoding",
    "content-encoding",
    "location",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "access-control-allow-headers",
)
"""The headers that matter; dates, lengths and names of servers are not part of the contract."""

_UUID4 = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_PLACEHOLDER = re.compile(r"\$([a-z_]+)(?::(.*))?", re.DOTALL)


def head(seen: Head | None) -> Any:
    """Return the status and the headers that matter; None if no head came."""
    if seen is None:
        return None
    values = {name: seen.get(name) for name in KEPT_HEADERS}
    return {
        "status": seen.status,
        "headers": {name: value for name, value in values.items() if value is not None},
    }


def as_text(body: bytes | bytearray) -> str:
    """Return a body as text, in which invalid UTF-8 is shown as escapes."""
    return bytes(body).decode("utf-8", "backslashreplace")


def body_of(connection: ProbeConnection) -> str:
    """Return an ordinary answer's body; of an HTML page only that it is one, as words are free."""
    kind = (connection.head.get("content-type") if connection.head else None) or ""
    if kind.startswith("text/html") and connection.body:
        return "(html page)"
    return as_text(connection.body)


def answer(connection: ProbeConnection) -> Any:
    """Return the answer to a send: status, content type, and the JSON or the text of the body."""
    if connection.head is None:
        return None
    kind = connection.head.get("content-type")
    seen: dict[str, Any] = {
        "status": connection.head.status,
        "headers": {} if kind is None else {"content-type": kind},
    }
    text = body_of(connection)
    try:
        seen["json"] = json.loads(text)
    except ValueError:
        seen["body"] = text
    return seen


def callback(seen: Callback) -> dict[str, Any]:
    """Return a callback; its method is included only if it is not POST."""
    plain = {"path": seen.path, "content_type": seen.content_type, "json": seen.json}
    return plain if seen.method == "POST" else {"method": seen.method, **plain}


def normalise(value: Any) -> Any:
    """Replace tokens by ``$TOKEN1``, ``$TOKEN2``, … in the order of their appearance.

    Only a UUID 4 is a token: a gateway with other tokens shows them.
    """
    numbers: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        return numbers.setdefault(match[0], f"$TOKEN{len(numbers) + 1}")

    def walk(item: Any) -> Any:
        if isinstance(item, str):
            return _UUID4.sub(named, item)
        if isinstance(item, Mapping):
            return {key: walk(entry) for key, entry in item.items()}
        if isinstance(item, list | tuple):
            return [walk(entry) for entry in item]
        return item

    return walk(value)


def resolve(template: Any, look_up: Mapping[str, Callable[[str], Any]]) -> Any:
    """Fill in a template.

    Args:
        template: JSON-like; a string ``$kind:argument`` of a known kind is replaced.
        look_up: for each kind, the function that gives the value for an argument.
    """
    if isinstance(template, str):
        found = _PLACEHOLDER.fullmatch(template)
        if found and found[1] in look_up:
            return look_up[found[1]](found[2] or "")
        return template
    if isinstance(template, Mapping):
        return {key: resolve(value, look_up) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [resolve(value, look_up) for value in template]
    return template
