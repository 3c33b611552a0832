"""The divergences about odd requests, with the exact answers of our gateway.

Node answers bytes that are not a request with a status line only, and a body that it cannot read
with an HTML page. Ours answers with JSON that names the mistake, everywhere (divergence 1). This
rule is in :func:`as_json`, so that the scenarios need not repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway_shim.parity.judge.comparison import ANY_TEXT

__all__ = ["RAW_DIVERGENCES", "READY", "as_json"]

_CODES = {404: "NOT_FOUND", 413: "PAYLOAD_TOO_LARGE", 415: "UNSUPPORTED_ENCODING"}
_JSON = {"content-type": "application/json; charset=utf-8"}
_KEPT = {"connection": "keep-alive", "keep-alive": "timeout=N"}
_CLOSED = {"connection": "close"}

_Changes = Mapping[str, Any]


def as_json(recorded: Any) -> Any:
    """Return our gateway's answer where Node answers with a bare status or an HTML page.

    Args:
        recorded: the value of a ``Raw`` or ``Rest``; any other value is returned unchanged.
    """
    if not isinstance(recorded, Mapping) or not isinstance(recorded.get("answers"), list):
        return recorded
    return {**recorded, "answers": [_with_json(answer) for answer in recorded["answers"]]}


def _with_json(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    status, headers, body = recorded["status"], recorded["headers"], recorded.get("body")
    if headers.get("content-type", "").startswith("text/html"):
        # A 500 comes from a handler that crashed because the body had not been parsed.
        status = 400 if status == 500 else status
        answer = _error(status, _CODES.get(status, "INVALID_JSON"), headers)
        return answer if body else {**answer, "body": ""}  # the answer to a HEAD
    if status >= 400 and body == "" and not recorded["cors"]:
        return _error(status, _CODES.get(status, "BAD_REQUEST"), headers)
    return recorded


def _error(status: int, code: str, headers: Mapping[str, str] = _CLOSED) -> dict[str, Any]:
    body = f'{{"error":{{"message":"{ANY_TEXT}","code":"{code}"}}}}'
    return {"status": status, "headers": {**headers, **_JSON}, "cors": True, "body": body}


def _json(body: str, headers: Mapping[str, str] = _KEPT) -> dict[str, Any]:
    return {"status": 200, "headers": {**headers, **_JSON}, "cors": True, "body": body}


def _seen(connection: str, *answers: Mapping[str, Any], **changes: Any) -> _Changes:
    return {"answer": {"answers": list(answers), "connection": connection}, **changes}


_NONE_ASKED: _Changes = {"callbacks": [], "url_length": None}
_OPENED = {
    "status": 200,
    "headers": {"connection": "keep-alive", "content-type": "text/event-stream"},
    "cors": True,
}
_BAD = _seen("closed", _error(400, "BAD_REQUEST"))
_NO_STREAM = {**_BAD, **_NONE_ASKED}
_UNKNOWN_CODING = _seen("closed", _error(501, "BAD_REQUEST"), **_NONE_ASKED)
_UNSUPPORTED = _seen("served", _error(415, "UNSUPPORTED_ENCODING", _KEPT))
_NOT_FOUND = _seen("served", _error(404, "NOT_FOUND", _KEPT))
_NO_EXPECTATION = _seen("closed", _error(417, "BAD_REQUEST"))
_TOO_LARGE = _seen("closed", _error(413, "PAYLOAD_TOO_LARGE"))
_STREAM = _seen("stream", _OPENED, callbacks=["connect"], url_length=2)
_HEALTHY = _json('{"status":"ok"}')
_UNTOLD = {"answers": [], "connection": "closed"}
_LOOPBACK = {"127.0.0.1": True, "127.0.0.2": False, "::1": True}
_V4 = {"127.0.0.1": True, "127.0.0.2": True, "::1": False}


def _each(name: str, cases: str, number: int, changes: _Changes) -> dict[str, tuple[int, _Changes]]:
    return {f"{name}/{case}": (number, changes) for case in cases.split()}


_JSON_ERRORS = {
    "request_heads/no_host_head": (1, _seen("closed", {**_error(400, "BAD_REQUEST"), "body": ""})),
    "request_chunks/huge_size": (1, _TOO_LARGE),
    "request_lengths/huge": (1, _TOO_LARGE),
    "request_lengths/none_and_no_body": (
        1,
        _seen("served", _error(400, "INVALID_TOKEN_MISSING", _KEPT)),
    ),
}
_ADDRESSES = {
    "divergence_10/default": (10, {"addresses": _LOOPBACK}),
    "divergence_10/HOST=0.0.0.0": (10, {"addresses": _V4}),
}
_NO_SENDS = {
    f"divergence_14/{case}": (14, changes)
    for case, changes in {
        "GET /x": _STREAM,
        "HEAD /healthz": _seen("served", _json("")),
        "OPTIONS /x": _seen("served", {"status": 204, "headers": _KEPT, "cors": True, "body": ""}),
        "GET /healthz": _seen("served", _HEALTHY),
        "POST /nope": _NOT_FOUND,
        "DELETE /x": _NOT_FOUND,
        "GET chunked": _STREAM,
        "GET gzip": _STREAM,
        "GET too large": _STREAM,
    }.items()
}
_CODINGS = {
    **_each(
        "divergence_15",
        "unknown empty quoted parameter longer gzip_chunked get_foo",
        15,
        _UNKNOWN_CODING,
    ),
    **_each("divergence_15", "get_gzip get_identity", 15, _NO_STREAM),
    **_each("request_codings", "br br_but_plain", 15, _UNSUPPORTED),
}
_BEHIND_STREAMS = {
    **_each("divergence_16", "nothing health send head options", 16, {"rest": _UNTOLD}),
    "divergence_16/second_stream": (16, {"callbacks": ["connect"]}),
}
_METHODS = {
    **_each(
        "divergence_17",
        "unknown_method unknown_method_healthz method_with_digits",
        17,
        _NOT_FOUND,
    ),
    **_each(
        "divergence_17",
        "connect connect_path",
        17,
        _seen("closed", _error(404, "NOT_FOUND")),
    ),
}
_STRICTNESS = {
    **_each(
        "divergence_19",
        "http_2_0 http_0_9 no_version two_spaces_before_version",
        19,
        _NO_STREAM,
    ),
    "request_heads/target_two_spaces": (19, _NO_STREAM),
    **_each("request_heads", "line_feed_first carriage_return_first", 19, _BAD),
    "request_heads/headers_2100_short": (
        19,
        _seen("closed", _error(431, "BAD_REQUEST"), **_NONE_ASKED),
    ),
    "request_heads/head_breaks_off": (19, _seen("closed")),
    "request_lengths/too_long": (19, _seen("closed", _HEALTHY)),
    "request_lengths/none": (19, _seen("closed", _error(400, "INVALID_TOKEN_MISSING", _KEPT))),
    "request_lengths/http_1_0_none": (19, _seen("closed", _error(400, "INVALID_TOKEN_MISSING"))),
    "request_lengths/http_1_0_chunked": (19, {**_BAD, "bytes": ""}),
    **_each("request_expectations", "other empty get_other", 19, _NO_EXPECTATION),
    "request_expectations/two": (19, {**_NO_EXPECTATION, "bytes": ""}),
    "request_chunks/too_large": (19, _TOO_LARGE),
    **{f"request_lengths/{size} bytes": (19, _TOO_LARGE) for size in (102_401, 500_000, 2_000_000)},
    "request_expectations/get": (19, _STREAM),
    "kept_connections/proxy_connection": (19, _seen("served", _HEALTHY)),
    "pipelines/too_large_and_good": (19, {**_TOO_LARGE, "bytes": ""}),
    "pipelines/last_one_closes": (
        19,
        _seen("closed", _HEALTHY, _json('{"status":"ok"}', _CLOSED)),
    ),
    "pipelines/health_and_nonsense": (
        19,
        _seen("closed", _HEALTHY, _error(400, "BAD_REQUEST")),
    ),
}

RAW_DIVERGENCES: Mapping[str, tuple[int, _Changes]] = {
    **_JSON_ERRORS,
    **_ADDRESSES,
    **_NO_SENDS,
    **_CODINGS,
    **_BEHIND_STREAMS,
    **_METHODS,
    **_STRICTNESS,
    "divergence_18/SIGHUP 0 s after health": (18, {"process": "still there"}),
}
"""By scenario id: the divergence's number, and what our gateway shows, in both dialects."""

READY: Mapping[str, _Changes] = {
    "named": _seen("served", _json('{"status":"ready","configured":true}')),
    "envelope": _seen(
        "served", _json('{"status":"ready","configured":true,"rabbitmq":"disabled"}')
    ),
}
"""By dialect: the answer of ``/readyz`` to a request whose body is not JSON."""
