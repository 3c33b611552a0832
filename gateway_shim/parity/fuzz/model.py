"""The model of a gateway's texts: events on the wire, the checks of a send, refusals of streams."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway_shim.parity.fuzz.strict_json import is_json
from gateway_shim.parity.judge.comparison import ANY_TEXT
from gateway_shim.parity.reply import Reply

__all__ = ["READY", "Model", "error"]

READY = "event: ready\ndata:\n\n"
"""The first event of each stream in the envelope dialect."""

_LINE_END = re.compile("\r\n|\r|\n")
_UNSAFE_NAME = re.compile("[\r\n\0]")
_MISSING = object()
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of gateway: Node's or ours, in one of the dialects.

    Args:
        node: True for a Node gateway, with its faults; False for ours.
        envelope: whether the gateway speaks the envelope dialect.
    """

    node: bool
    envelope: bool

    def event(self, name: str, data: str, hit: set[int]) -> str:
        """Return an event's text on the wire; add the divergences that it touches to ``hit``."""
        if "\r" in data:
            hit.add(3)
        if self.envelope and name == "ready":
            return READY
        if self.envelope and name and name != "rejected":
            if not is_json(data) or "\n" in data or "\r" in data:
                hit.add(6)
            payload = data if self.node or is_json(data) else _quoted(data) if data else "null"
            document = f'{{"type":{_quoted(name)},"payload":{payload}}}'
            return f"data: {document}\n\n" if self.node else self._lines(document) + "\n"
        if self.envelope and name and self.node:
            hit.add(6)
            return f"event: {name}\ndata: {data}\n\n"
        return (f"event: {name}\n" if name else "") + self._lines(data) + "\n"

    def refusal(self, body: Any, hit: set[int]) -> str | None:
        """Return the error code for a malformed send; None if the send is well formed."""
        fields = body if isinstance(body, dict) else {}
        if not isinstance(fields.get("token"), str) or not fields["token"]:
            return "INVALID_TOKEN_MISSING"
        event = fields.get("event", _MISSING)
        if event is not _MISSING:
            if not isinstance(event, dict | list):
                return "INVALID_EVENT_TYPE"
            parts = event if isinstance(event, dict) else {}
            if not isinstance(parts.get("data"), str):
                return "INVALID_EVENT_DATA_MISSING"
            name = parts.get("name", "")
            if not isinstance(name, str):
                return "INVALID_EVENT_NAME_TYPE"
            if _UNSAFE_NAME.search(name):
                hit.add(2)
                if not self.node:
                    return "INVALID_EVENT_NAME_TYPE"
        return None if isinstance(fields.get("close", False), bool) else "INVALID_CLOSE_TYPE"

    def rejection(self, reply: Reply, unavailable: bool) -> str:
        """Return the body of a refused stream, or its only event."""
        status, phrase = reply.status, reply.reason
        if unavailable:
            return error("BACKEND_UNAVAILABLE")
        if self.envelope and status in (400, 401, 403):
            message = phrase or HTTPStatus(status).phrase
            return f'event: rejected\ndata: {{"status":{status},"message":{_quoted(message)}}}\n\n'
        codes = {401: "BACKEND_AUTH_FAILED", 403: "BACKEND_FORBIDDEN"}
        return error(codes.get(status, "BACKEND_ERROR"))

    def _lines(self, text: str) -> str:
        lines = text.split("\n") if self.node else _LINE_END.split(text)
        return "".join(f"data: {line}\n" for line in lines)


def error(code: str) -> str:
    """Return the body of an error with any words."""
    return f'{{"error":{{"message":"{ANY_TEXT}","code":"{code}"}}}}'


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
