"""The contract as a model: what each step of a case does, on a Node gateway and on ours.

It knows only the parts where the two diverge on purpose: answers to sends, and bytes. The
fuzzer asks it whether a difference is one of the numbered divergences, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gateway_shim.parity.comparison import ANY_TEXT
from gateway_shim.parity.steps import (
    Drop,
    Fence,
    Open,
    Post,
    Release,
    Request,
    Send,
    Step,
)
from gateway_shim.parity.stub_backend import Fate

__all__ = ["Model", "predict"]

_JSON = {"content-type": "application/json; charset=utf-8"}
_HTML = {"content-type": "text/html; charset=utf-8"}
_PAGE = "(html page)"
_READY = "event: ready\ndata:\n\n"
_LINE_END = re.compile("\r\n|\r|\n")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSAFE_NAME = re.compile("[\r\n\0]")
_LARGEST_BODY = 102_400
_MISSING = object()
_OWN = "$T"


@dataclass(frozen=True, slots=True)
class Model:
    """Which gateway is meant.

    Args:
        node: a Node gateway, with its faults; else ours.
        envelope: whether it speaks the envelope dialect.
    """

    node: bool
    envelope: bool

    def event(self, name: str, data: str, hit: set[int]) -> str:
        """An event's text on the wire; adds the divergences it touches to ``hit``."""
        if "\r" in data:
            hit.add(3)
        if self.envelope and name == "ready":
            return _READY
        if self.envelope and name and name != "rejected":
            if not _is_json(data) or "\n" in data or "\r" in data:
                hit.add(6)
            payload = data if self.node or _is_json(data) else _quoted(data) if data else "null"
            document = f'{{"type":{_quoted(name)},"payload":{payload}}}'
            return f"data: {document}\n\n" if self.node else self._lines(document) + "\n"
        if self.envelope and name and self.node:
            hit.add(6)
            return f"event: {name}\ndata: {data}\n\n"
        return (f"event: {name}\n" if name else "") + self._lines(data) + "\n"

    def refusal(self, body: Any, hit: set[int]) -> str | None:
        """The error code that a send gets for its form; None if it is well formed."""
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

    def _lines(self, text: str) -> str:
        lines = text.split("\n") if self.node else _LINE_END.split(text)
        return "".join(f"data: {line}\n" for line in lines)


@dataclass
class _Stream:
    state: str  # held, open, ended
    pending: str = ""
    buffer: list[Any] = field(default_factory=list)
    hit: set[int] = field(default_factory=set)


def predict(steps: Iterable[Step], model: Model) -> dict[str, tuple[Any, frozenset[int]]]:
    """What a gateway shows for the steps of a case.

    Returns:
        For each item that the model knows: what is seen, and the divergences it touches. The
        items' names are those of :mod:`gateway_shim.parity.cases`.
    """
    play = _Play(model)
    for index, step in enumerate(steps):
        play.step(index, step)
    play.items["during"] = (play.during, frozenset(play.during_hit))
    return play.items


class _Play:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.items: dict[str, tuple[Any, frozenset[int]]] = {}
        self.during: list[Any] = []
        self.during_hit: set[int] = set()
        self._streams: dict[str, _Stream] = {}

    def step(self, index: int, step: Step) -> None:
        match step:
            case Open():
                self._open(index, step)
            case Release():
                for stream in self._streams.values():
                    if stream.state == "held":
                        self._accept(stream)
            case Drop(name):
                self._streams[name].state = "ended"
            case Send(body, _, name):
                hit: set[int] = set()
                answer = self._send(self._streams.get(name), body, hit)
                self.items[f"{index}.answer"] = (answer, frozenset(hit))
            case Fence(name):
                stream = self._streams[name]
                text = _SURROGATE.sub("\ufffd", stream.pending)
                self.items[f"{index}.bytes"] = (text, frozenset(stream.hit))
                stream.pending, stream.hit = "", set()
            case Post(raw, content_type):
                seen = self._post(raw.encode("latin-1"), content_type)
                if seen is not None:
                    self.items[f"{index}.answer"] = (seen, frozenset({1}))
            case Request():
                text = '{"error":{"message":"$TEXT","code":"NOT_FOUND"}}'
                page = _HTML if self.model.node else _JSON
                self.items[f"{index}.kind"] = (page["content-type"], frozenset({1}))
                self.items[f"{index}.body"] = (_PAGE if self.model.node else text, frozenset({1}))

    def _open(self, index: int, step: Open) -> None:
        stream = self._streams[step.stream] = _Stream("held")
        if step.method == "HEAD":
            self.items[f"{index}.asked"] = (self.model.node, frozenset({5}))
            stream.state = "ended"
            return
        for body in step.reply.sends:
            self.during.append(self._send(stream, body, self.during_hit))
        if step.reply.fate is Fate.ANSWER:
            if 200 <= step.reply.status < 300:
                self._accept(stream)
            else:
                stream.state = "ended"

    def _accept(self, stream: _Stream) -> None:
        stream.state = "open"
        for body in stream.buffer:
            self._write(stream, body, buffered=True)
            if body.get("close"):
                stream.state = "ended"
                return
        if self.model.envelope:
            stream.pending += _READY

    def _send(self, stream: _Stream | None, body: Any, hit: set[int]) -> Any:
        code = self.model.refusal(body, hit)
        if code is not None:
            return _answer(400, code)
        if stream is None or stream.state == "ended" or body["token"] != _OWN:
            return _answer(404, "TOKEN_NOT_FOUND")
        stream.hit |= hit
        if stream.state == "held":
            stream.buffer.append(body)
            return {"status": 200, "headers": _JSON, "json": {"status": "buffered"}}
        self._write(stream, body, buffered=False)
        if body.get("close"):
            stream.state = "ended"
        return {"status": 200, "headers": _JSON, "json": {"status": "ok"}}

    def _write(self, stream: _Stream, body: Any, buffered: bool) -> None:
        event = body.get("event")
        if event is None:
            if buffered:
                stream.hit.add(4)
                stream.pending += "data: \n\n" if self.model.node else ""
            return
        stream.pending += self.model.event(event.get("name", ""), event["data"], stream.hit)

    def _post(self, raw: bytes, content_type: str | None) -> Any:
        """The answer to a body that is no JSON object; None for one that is."""
        kind = (content_type or "").partition(";")[0].strip().lower()
        if kind != "application/json":
            status, code = 500, "INVALID_JSON"
        elif len(raw) > _LARGEST_BODY:
            status, code = 413, "PAYLOAD_TOO_LARGE"
        elif raw and not isinstance(_parsed(raw), dict | list):
            status, code = 400, "INVALID_JSON"
        else:
            return None
        if self.model.node:
            return {"status": status, "headers": _HTML, "body": _PAGE}
        return _answer(400 if status == 500 else status, code)


def _answer(status: int, code: str) -> Any:
    error = {"error": {"message": ANY_TEXT, "code": code}}
    return {"status": status, "headers": _JSON, "json": error}


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _is_json(text: str) -> bool:
    return _parsed(text.encode("utf-8", "surrogatepass"), "surrogatepass") is not _MISSING


def _parsed(raw: bytes, errors: str = "replace") -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(raw.decode("utf-8", errors), parse_constant=refuse, parse_int=float)
    except (ValueError, RecursionError):
        return _MISSING
