"""Helpers for scenarios in which a request is given byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway_shim.parity.raw_steps import Part, Raw
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import Fence, Open

__all__ = [
    "EVENT",
    "HOST",
    "JSON",
    "UNKNOWN",
    "post",
    "raw_request",
    "raw_send",
    "request",
    "sized",
]

HOST = "Host: gw.example"
JSON = "Content-Type: application/json"
EVENT = '{"token":"$T","event":{"data":"x"}}'
"""A send to the scenario's stream."""
UNKNOWN = '{"token":"nope"}'
"""A send that is read and understood, and answered with 404."""

_TOKEN_LENGTH = 36  # of a UUID


def request(line: str, *lines: str, body: str = "") -> str:
    """Return a request of exactly the given lines."""
    return "\r\n".join([line, *lines, "", body])


def sized(body: str) -> str:
    """Return the Content-Length line of a body in which ``$T`` stands for a token."""
    length = len(body) + body.count("$T") * (_TOKEN_LENGTH - len("$T"))
    return f"Content-Length: {length}"


def post(body: str, *lines: str, version: str = "1.1", length: bool = True) -> str:
    """Return a ``POST /internal/send``; its Content-Type is JSON if the lines have none."""
    typed = any(line.lower().startswith("content-type") for line in lines)
    head = [HOST, *([] if typed else [JSON]), *lines, *([sized(body)] if length else [])]
    return request(f"POST /internal/send HTTP/{version}", *head, body=body)


def raw_request(
    name: str,
    case: str,
    *parts: Part,
    awaits: Iterable[str] = ("GET",),
    seconds: float = 0.0,
    **more: Any,
) -> Scenario:
    """Return a scenario with any bytes, which shows the answers and the callbacks."""
    return Scenario(
        name,
        (Raw(tuple(parts), tuple(awaits), **more),),
        {
            "case": case,
            "answer": "$value:answer",
            "callbacks": "$actions",
            "url_length": "$url_length",
        },
        case=case,
        seconds=seconds,
    )


def raw_send(
    name: str, case: str, *parts: Part, awaits: Iterable[str] = ("POST",), **more: Any
) -> Scenario:
    """Return a scenario with bytes that may be a send; it shows answers and a stream's events."""
    return Scenario(
        name,
        (Open(), Fence(forget=True), Raw(tuple(parts), tuple(awaits), **more), Fence()),
        {"case": case, "answer": "$value:answer", "bytes": "$body:s", "ended": "$ended:s"},
        case=case,
    )
