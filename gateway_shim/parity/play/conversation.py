"""Odd requests, done: bytes are written, and whatever is answered to them is read and told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.message import NotHttp, request_bytes
from gateway_shim.parity.play.observation import body_of
from gateway_shim.parity.play.probe import Connection
from gateway_shim.parity.raw_steps import Raw, Rest, written

if TYPE_CHECKING:
    from gateway_shim.parity.play.stage import Stage

__all__ = ["converse", "read_rest"]

_KEPT = ("connection", "keep-alive", "content-type", "content-encoding")
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "Content-Type, Cache-Control",
}
_SECONDS = re.compile(r"timeout=[0-9]+")
_PROBE = request_bytes("GET", "/healthz", (HOST_HEADER, ("Connection", "close")))
_HEALTHY = b'{"status":"ok"}'
_EVENT_STREAM = "text/event-stream"


def converse(stage: Stage, step: Raw) -> None:
    """Do a :class:`Raw` on a stage."""
    before = len(stage.session.tokens())
    connection = stage.client.connect()
    try:
        connection.write(written(step.parts, stage.tokens.get(step.stream)))
        if step.finishes:
            connection.finish_writing()
    except ConnectionError:
        pass  # refused before the end of it: what was answered can still be read
    seen = _read(stage, connection, step.awaits, step.pause)
    stage.values[step.name] = seen
    # Where no stream came of it, the steps after this one find a connection all the same.
    stage.streams.setdefault(step.stream, connection)
    if seen["connection"] == "stream":
        stage.streams[step.stream] = connection
        tokens = stage.session.tokens()
        if len(tokens) > before:
            stage.tokens[step.stream] = tokens[before]


def read_rest(stage: Stage, step: Rest) -> None:
    """Do a :class:`Rest` on a stage."""
    stage.values[step.name] = _read(stage, stage.streams[step.stream], step.awaits)


def _read(
    stage: Stage, connection: Connection, awaits: Iterable[str], pause: float = 0.0
) -> dict[str, Any]:
    answers: list[Any] = []
    fate = ""
    for method in awaits:
        fate = _next(stage, connection, method)
        if connection.head is not None:
            answers.append(_answer(connection))
        if fate:
            break
    if not fate:
        time.sleep(pause)
        fate = _afterwards(stage, connection)
    return {"answers": answers, "connection": fate}


def _next(stage: Stage, connection: Connection, method: str) -> str:
    """Read an answer; what became of the connection if there is no going on behind it."""
    connection.begin_answer(method)
    try:
        head = connection.read_head(stage.patience)
    except TimeoutError:
        return "silent"
    except ConnectionError:
        return "closed"
    except NotHttp as exc:
        return f"not HTTP: {exc.received[:100].decode('latin-1')}"
    if head.get("content-type") == _EVENT_STREAM and method != "HEAD":
        return "stream"
    return "" if stage.wait(connection.read_to_end) else "silent"


def _afterwards(stage: Stage, connection: Connection) -> str:
    """Say what became of a connection whose awaited answers have come."""
    last = connection.head
    closes = last is not None and (last.get("connection") or "").lower() == "close"
    connection.begin_answer("GET")
    try:
        if not closes:
            connection.write(_PROBE)
        head = connection.read_head(stage.patience)
    except TimeoutError:
        return "open" if closes else "silent"
    except ConnectionError:
        return "closed"
    except NotHttp as exc:
        return f"not HTTP: {exc.received[:100].decode('latin-1')}"
    stage.wait(connection.read_to_end)
    healthy = not closes and head.status == 200 and connection.body == _HEALTHY
    return "served" if healthy else f"a further answer: {head.status}"


def _answer(connection: Connection) -> dict[str, Any]:
    head = connection.head
    if head is None:
        return {}
    kept = {name: value for name in _KEPT if (value := head.get(name)) is not None}
    answer: dict[str, Any] = {"status": head.status, "headers": kept}
    if "keep-alive" in kept:  # how long it is, is a gateway's own choice
        kept["keep-alive"] = _SECONDS.sub("timeout=N", kept["keep-alive"])
    if connection.interim:
        answer["interim"] = list(connection.interim)
    if head.version != "HTTP/1.1":
        answer["version"] = head.version
    answer["cors"] = all(head.get(name) == value for name, value in _CORS.items())
    if kept.get("content-type") != _EVENT_STREAM:
        answer["body"] = body_of(connection)
    return answer
