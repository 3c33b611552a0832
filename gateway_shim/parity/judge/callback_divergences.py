"""The divergences about callbacks, with the exact answers of our gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "CALLBACK_DIVERGENCES",
    "CALLBACK_DIVERGENCES_BY_DIALECT",
    "STREAM",
    "UNAVAILABLE",
    "Changes",
]

Changes = Mapping[str, Any]
"""The parts of an observation that differ, by their keys."""

UNAVAILABLE: Changes = {
    "head": {"status": 503},
    "body": '{"error":{"message":"$TEXT","code":"BACKEND_UNAVAILABLE"}}',
}
"""The answer to a client if the backend is not available."""

STREAM: Mapping[str, Any] = {
    "status": 200,
    "headers": {
        "content-type": "text/event-stream",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        "transfer-encoding": "chunked",
    },
}
"""The head of a stream."""

_ASKED = "POST /api/sse/callback?secret=s3cret connect"
_TOLD = "POST /api/sse/callback?secret=s3cret disconnect"
_TLS_ASKED = "POST /cb?x=y connect"


def _not_a_stream(status: int, code: str, message: str) -> Changes:
    """Return an error where Node opens a stream."""
    headers = {
        "content-type": "application/json; charset=utf-8",
        **dict.fromkeys(("cache-control", "x-accel-buffering", "transfer-encoding")),
    }
    return {
        "head": {"status": status, "headers": headers},
        "body": f'{{"error":{{"message":"{message}","code":"{code}"}}}}',
        "ended": "clean",
        "calls": [_ASKED],
    }


_MISDIRECTED = {"calls": [_ASKED]}

_UNUSABLE = (
    "127.0.0.1:9/cb",
    "//127.0.0.1:9/cb",
    "nonsense",
    "ftp://127.0.0.1:9/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:PO\\tRT/c\\tb",
    "http://[::1",
    "http://",
    "http://127.0.0.1:0/",
    " ",
    "NODE_EXTRA_CA_CERTS",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)

CALLBACK_DIVERGENCES: Mapping[str, tuple[int, Changes]] = {
    **{f"callback_status/{status} x": (9, UNAVAILABLE) for status in (600, 700, 999)},
    "callback_status/421 M": (9, _MISDIRECTED),
    "callback_status/421 then 200": (
        9,
        _not_a_stream(421, "BACKEND_ERROR", "Backend returned 421"),
    ),
    "callback_interim/101 without upgrade": (
        9,
        _not_a_stream(503, "BACKEND_UNAVAILABLE", "$TEXT"),
    ),
    "disconnect_answers/421": (
        9,
        {"calls": [_ASKED, _TOLD], "disconnects": [["disconnect", "client_closed"]]},
    ),
    "divergence_11": (
        11,
        {"callbacks_answered_before_the_send": 0, "callbacks_answered_before_the_end": 0},
    ),
    **{
        f"divergence_12/{case}": (
            12,
            {"status": 200, "calls": ["POST /cb connect"], "authorizations": [f"Basic {base64}"]},
        )
        for case, base64 in (
            ("name and password", "dXMgZXI6cGE6c3M="),
            ("only a name", "dXNlcjo="),
            ("only a password", "OnNlY3JldA=="),
        )
    },
    "divergence_13/NODE_TLS_REJECT_UNAUTHORIZED": (
        13,
        {"status": 503, "calls": [], "authorizations": []},
    ),
    "divergence_13/REQUESTS_CA_BUNDLE": (
        13,
        {"status": 200, "calls": [_TLS_ASKED], "authorizations": [None]},
    ),
    **{f"divergence_20/{case}": (20, {"exit": 1, "answers": {}}) for case in _UNUSABLE},
}
"""By scenario id: the divergence's number, and what our gateway shows instead."""


def _streams(body: str) -> Mapping[str, tuple[int, Changes]]:
    """Return the scenarios in which only ours opens a stream, which begins with the given body."""
    stream: Changes = {"head": STREAM, "body": body, "ended": None}
    return {"callback_interim/100 then 200": (9, stream)}


CALLBACK_DIVERGENCES_BY_DIALECT: Mapping[str, Mapping[str, tuple[int, Changes]]] = {
    "named": _streams(""),
    "envelope": _streams("event: ready\ndata:\n\n"),
}
"""The same, for the scenarios in which the dialects differ."""
