"""Scenarios about opening a stream: the question to the backend, and the answer to the client."""

from __future__ import annotations

from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import (
    AwaitCallback,
    Drop,
    End,
    Fence,
    Open,
    Request,
    Send,
)

__all__ = ["CONNECT"]

_PATHS = (
    "/",
    "/events",
    "/api/sse/stream",
    "/api/sse/stream?request_id=a%20b&x=1&x=2",
    "/a//b/../c?",
    "/%C3%A9?q=%F0%9F%98%80",
    "/internal/send",
    "/internal/other",
    "/healthz/deep",
    "/readyz?x=1",
    "/favicon.ico",
    "/x?y=http://h/p?z=1#frag",
)

_HEADERS = (
    ("X-Mixed-Case", "Value"),
    ("X-Dup", "1"),
    ("X-Dup", "2"),
    ("Cookie", "a=b"),
    ("Cookie", "c=d"),
    ("X-Empty", ""),
    ("Authorization", "Bearer abc"),
    ("Last-Event-ID", "7"),
    ("User-Agent", "u1"),
    ("User-Agent", "u2"),
    ("X-Latin", "\xe9"),
)

_OUTCOME = {"head": "$head:s", "body": "$body:s", "ended": "$ended:s"}
_ACCEPTED = (201, 204)
_REFUSED = (400, 401, 403, 404, 409, 422, 429, 500, 502, 503)


def _outcome_of(status: int) -> Scenario:
    # A refused stream cannot get a fence, so the scenario waits for its end.
    last = Fence() if status in _ACCEPTED else End()
    return Scenario(
        f"connect_callback_answers_{status}",
        (Open(reply=Reply(status)), last),
        {**_OUTCOME, "callbacks": "$actions"},
    )


def _path(path: str) -> Scenario:
    return Scenario(
        "connect_paths",
        (Open(target=path),),
        {
            "path": path,
            "status": "$status:s",
            "content_type": "$header:s:content-type",
            "callback_url": "$callback_url",
        },
        case=path,
    )


CONNECT = (
    Scenario(
        "connect_ok",
        (Open(), Fence(), Drop(), AwaitCallback()),
        {"head": "$head:s", "body": "$body:s", "callbacks": "$callbacks"},
    ),
    Scenario(
        "connect_http_1_0",
        (
            Open(version="1.0"),
            Send({"token": "$T", "event": {"name": "n", "data": "{}"}}),
            Fence(),
        ),
        {"head": "$head:s", "send": "$answer:answer", "body": "$body:s"},
    ),
    *(_path(path) for path in _PATHS),
    Scenario(
        "connect_forwards_headers",
        (Open(headers=_HEADERS), Drop(), AwaitCallback()),
        "$callbacks",
    ),
    *(_outcome_of(status) for status in (*_ACCEPTED, *_REFUSED)),
    Scenario(
        "connect_callback_refused",
        (Open(), End()),
        _OUTCOME,
        process=Process(callback="refused"),
    ),
    Scenario(
        "connect_callback_timeout",
        (Open(reply=Reply(fate=Fate.HANG)), End()),
        {**_OUTCOME, "seconds": "$about:5"},
        seconds=5.5,
    ),
    Scenario(
        "connect_without_callback_url",
        (
            Open(),
            End(),
            Request("GET", "/readyz", name="readyz"),
            Request("GET", "/healthz", name="healthz"),
        ),
        {
            "head": "$head:s",
            "body": "$body:s",
            "readyz": "$answer:readyz",
            "healthz": "$answer:healthz",
        },
        process=Process(callback="none"),
    ),
)
"""The given recordings' scenarios about opening a stream."""
