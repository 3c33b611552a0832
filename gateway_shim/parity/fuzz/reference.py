"""The contract as a model: what each step of a case shows, on a Node gateway and on ours.

The model covers only what may diverge: answers to sends, bytes, and a backend's answers that only
one of the gateways accepts. The fuzzer uses it only to find out whether a difference is a numbered
divergence. Errors in other forms are in :mod:`gateway_shim.parity.judge.error_pages`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_shim.parity.fuzz.model import READY, Model, error
from gateway_shim.parity.fuzz.strict_json import is_json
from gateway_shim.parity.judge.comparison import ANY_TEXT
from gateway_shim.parity.raw_steps import Part
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.steps import (
    Drop,
    Fence,
    Open,
    Raw,
    Release,
    Request,
    Send,
    SendCompressed,
    Step,
)

__all__ = ["predict"]

_JSON = {"content-type": "application/json; charset=utf-8"}
_STREAM = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "connection": "keep-alive",
    "x-accel-buffering": "no",
    "transfer-encoding": "chunked",
}
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "Content-Type, Cache-Control",
}
_METHODS = (
    "ACL", "BIND", "CHECKOUT", "CONNECT", "COPY", "DELETE", "GET", "HEAD", "LINK", "LOCK",
    "M-SEARCH", "MERGE", "MKACTIVITY", "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "OPTIONS", "PATCH",
    "POST", "PROPFIND", "PROPPATCH", "PURGE", "PUT", "QUERY", "REBIND", "REPORT", "SEARCH",
    "SOURCE", "SUBSCRIBE", "TRACE", "UNBIND", "UNLINK", "UNLOCK", "UNSUBSCRIBE",
)  # fmt: skip
"""The methods that Node's parser knows."""
_REQUEST_LINE = re.compile(r"([A-Z]{3,20}) \S+ HTTP/1\.1\r\n")
_PACKED = frozenset({("gzip", "gzip"), ("gzip", "gzip twice"), ("deflate", "deflate")})
_SURROGATE = re.compile("[\ud800-\udfff]")
_OWN = "$T"


@dataclass
class _Stream:
    state: str  # held, open, ended; or unknown, if the backend's answer is given as bytes
    pending: str = ""
    buffer: list[Any] = field(default_factory=list)
    hit: set[int] = field(default_factory=set)
    always: set[int] = field(default_factory=set)  # divergences that every item of it touches


def predict(steps: Iterable[Step], model: Model) -> dict[str, tuple[Any, frozenset[int]]]:
    """Predict what a gateway shows for the steps of a case.

    Returns:
        For each item that the model covers: what is seen, and the divergences that it touches. The
        names of the items are those of :mod:`gateway_shim.parity.fuzz.cases`.
    """
    prediction = _Prediction(model)
    for index, step in enumerate(steps):
        prediction.step(index, step)
    prediction.items["during"] = (prediction.during, frozenset(prediction.during_hit))
    return prediction.items


class _Prediction:
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
                self._answer(index, name, body)
            case SendCompressed(body, coding, packing, _, name) if _arrives(coding, packing):
                self._answer(index, name, body)
            case Request(method, _, _, body) if body and not is_json(body):
                seen = _whole(400, "text/html; charset=utf-8", "(html page)")
                if not self.model.node and method == "OPTIONS":
                    seen = _whole(204, None, "")
                elif not self.model.node:
                    seen = _whole(200, _JSON["content-type"], '{"status":"ok"}')
                self.items[f"{index}.answer"] = (seen, frozenset({14}))
            case Raw(parts, (_,)) if _method(parts) not in (*_METHODS, None):
                seen = _refusal(400, {"connection": "close"}, "", cors=False)
                if not self.model.node:
                    kept = {"connection": "keep-alive", "keep-alive": "timeout=N"}
                    seen = _refusal(404, {**_JSON, **kept}, error("NOT_FOUND"), cors=True)
                self.items[f"{index}.answers"] = (seen, frozenset({17}))
            case Fence(name) if self._streams[name].state != "unknown":
                stream = self._streams[name]
                text = _SURROGATE.sub("\ufffd", stream.pending)
                self.items[f"{index}.bytes"] = (text, frozenset(stream.hit))
                stream.pending, stream.hit = "", set(stream.always)

    def _answer(self, index: int, name: str, body: Any) -> None:
        stream = self._streams.get(name)
        if stream is not None and stream.state == "unknown":
            return
        hit: set[int] = set() if stream is None else set(stream.always)
        answer = self._send(stream, body, hit)
        self.items[f"{index}.answer"] = (answer, frozenset(hit))

    def _open(self, index: int, step: Open) -> None:
        stream = self._streams[step.stream] = _Stream("held")
        if step.method == "HEAD":
            self.items[f"{index}.asked"] = (self.model.node, frozenset({5}))
            stream.state = "ended"
            return
        for body in step.reply.sends:
            self.during.append(self._send(stream, body, self.during_hit))
        if step.reply.raw is not None:
            stream.state = "unknown"
        elif step.reply.fate is Fate.ANSWER:
            self._decide(index, stream, step.reply)

    def _decide(self, index: int, stream: _Stream, reply: Reply) -> None:
        """Set a stream's state after the backend's answer."""
        status = reply.status
        diverging = 100 in reply.interim or status == 421 or status >= 600
        unavailable = 100 in reply.interim if self.model.node else status >= 600
        if diverging:
            stream.always = {9}
            stream.hit |= stream.always
        if 200 <= status < 300 and not unavailable:
            self._accept(stream)
            seen, ended = _head(200, _STREAM), None
        else:
            stream.state = "ended"
            in_stream = self.model.envelope and status in (400, 401, 403) and not unavailable
            seen, ended = (
                _head(200, _STREAM)
                if in_stream
                else _head(503 if unavailable else status, {**_JSON, "connection": "keep-alive"}),
                "clean",
            )
            stream.pending = self.model.rejection(reply, unavailable)
        if diverging:
            nine = frozenset({9})
            self.items[f"{index}.head"] = (seen, nine)
            self.items[f"{index}.ended"] = (ended, nine)
            asked = 2 if self.model.node and status == 421 else 1
            self.items[f"{index}.connects"] = (["connect"] * asked, nine)

    def _accept(self, stream: _Stream) -> None:
        stream.state = "open"
        for body in stream.buffer:
            self._write(stream, body, buffered=True)
            if body.get("close"):
                stream.state = "ended"
                return
        if self.model.envelope:
            stream.pending += READY

    def _send(self, stream: _Stream | None, body: Any, hit: set[int]) -> Any:
        code = self.model.refusal(body, hit)
        if code is not None:
            return _refused(400, code)
        if stream is None or stream.state == "ended" or body["token"] != _OWN:
            return _refused(404, "TOKEN_NOT_FOUND")
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


def _arrives(coding: str, packing: str) -> bool:
    """Return whether a gateway can decompress a body."""
    name = coding.lower()
    return (name, packing) in _PACKED or (name == "identity" and not packing)


def _head(status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    return {"status": status, "headers": {**headers, **_CORS}}


def _refused(status: int, code: str) -> Any:
    error = {"error": {"message": ANY_TEXT, "code": code}}
    return {"status": status, "headers": _JSON, "json": error}


def _method(parts: tuple[Part, ...]) -> str | None:
    """Return the method of a request whose first line is the first part; None if there is none."""
    first = parts[0] if isinstance(parts[0], str) else ""
    found = _REQUEST_LINE.fullmatch(first)
    return found[1] if found else None


def _whole(status: int, kind: str | None, body: str) -> dict[str, Any]:
    return {"status": status, "headers": {"content-type": kind}, "body": body}


def _refusal(status: int, headers: Mapping[str, str], body: str, *, cors: bool) -> dict[str, Any]:
    """Return what a ``Raw`` shows of a connection whose only request is refused."""
    answer = {"status": status, "headers": dict(headers), "cors": cors, "body": body}
    return {"answers": [answer], "connection": "served" if cors else "closed"}
