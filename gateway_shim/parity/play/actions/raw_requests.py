"""The actions of raw requests: write bytes, and report everything that is answered."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

from gateway_shim.parity.play.client import HOST_HEADER
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.play.message import NotHttp, request_bytes
from gateway_shim.parity.play.observation import body_of
from gateway_shim.parity.play.probe import ProbeConnection
from gateway_shim.parity.raw_steps import Raw, Rest, part_bytes

__all__ = ["read_rest", "send_raw"]

_KEPT_HEADERS = ("connection", "keep-alive", "content-type", "content-encoding")
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "Content-Type, Cache-Control",
}
_SECONDS = re.compile(r"timeout=[0-9]+")
_FURTHER_REQUEST = request_bytes("GET", "/healthz", (HOST_HEADER, ("Connection", "close")))
_HEALTHY = b'{"status":"ok"}'
_EVENT_STREAM = "text/event-stream"


def send_raw(context: PlayContext, step: Raw) -> None:
    """Run a :class:`Raw`: write its bytes on a new connection and read the answers."""
    before = len(context.session.tokens())
    connection = context.client.connect()
    try:
        connection.write(part_bytes(step.parts, context.tokens.get(step.stream)))
        if step.finishes:
            connection.finish_writing()
    except ConnectionError:
        pass  # the gateway refused the bytes early: its answer can still be read
    seen = _read(context, connection, step.awaits, step.pause)
    context.values[step.name] = seen
    # If the bytes opened no stream, the steps that follow still find a connection.
    context.streams.setdefault(step.stream, connection)
    if seen["connection"] == "stream":
        context.streams[step.stream] = connection
        tokens = context.session.tokens()
        if len(tokens) > before:
            context.tokens[step.stream] = tokens[before]


def read_rest(context: PlayContext, step: Rest) -> None:
    """Run a :class:`Rest`: read the answers that follow a stream on its connection."""
    context.values[step.name] = _read(context, context.streams[step.stream], step.awaits)


def _read(
    context: PlayContext, connection: ProbeConnection, awaits: Iterable[str], pause: float = 0.0
) -> dict[str, Any]:
    answers: list[Any] = []
    end = ""
    for method in awaits:
        end = _read_answer(context, connection, method)
        if connection.head is not None:
            answers.append(_answer(connection))
        if end:
            break
    if not end:
        time.sleep(pause)
        end = _afterwards(context, connection)
    return {"answers": answers, "connection": end}


def _read_answer(context: PlayContext, connection: ProbeConnection, method: str) -> str:
    """Read one answer.

    Returns:
        The state of the connection if no further answer can be read; else an empty text.
    """
    connection.begin_answer(method)
    try:
        head = connection.read_head(context.patience)
    except TimeoutError:
        return "silent"
    except ConnectionError:
        return "closed"
    except NotHttp as exc:
        return f"not HTTP: {exc.received[:100].decode('latin-1')}"
    if head.get("content-type") == _EVENT_STREAM and method != "HEAD":
        return "stream"
    return "" if context.wait(connection.read_to_end) else "silent"


def _afterwards(context: PlayContext, connection: ProbeConnection) -> str:
    """Return the state of a connection after the last awaited answer."""
    last = connection.head
    closes = last is not None and (last.get("connection") or "").lower() == "close"
    connection.begin_answer("GET")
    try:
        if not closes:
            connection.write(_FURTHER_REQUEST)
        head = connection.read_head(context.patience)
    except TimeoutError:
        return "open" if closes else "silent"
    except ConnectionError:
        return "closed"
    except NotHttp as exc:
        return f"not HTTP: {exc.received[:100].decode('latin-1')}"
    context.wait(connection.read_to_end)
    healthy = not closes and head.status == 200 and connection.body == _HEALTHY
    return "served" if healthy else f"a further answer: {head.status}"


def _answer(connection: ProbeConnection) -> dict[str, Any]:
    head = connection.head
    if head is None:
        return {}
    kept = {name: value for name in _KEPT_HEADERS if (value := head.get(name)) is not None}
    answer: dict[str, Any] = {"status": head.status, "headers": kept}
    if "keep-alive" in kept:  # each gateway chooses the number of seconds
        kept["keep-alive"] = _SECONDS.sub("timeout=N", kept["keep-alive"])
    if connection.interim:
        answer["interim"] = list(connection.interim)
    if head.version != "HTTP/1.1":
        answer["version"] = head.version
    answer["cors"] = all(head.get(name) == value for name, value in _CORS.items())
    if kept.get("content-type") != _EVENT_STREAM:
        answer["body"] = body_of(connection)
    return answer
