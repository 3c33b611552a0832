"""Scenarios about several requests on one connection: pipelines, and what follows a stream."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios.requests.raw_requests import (
    EVENT,
    HOST,
    post,
    raw_request,
    raw_send,
    request,
)
from gateway_shim.parity.steps import AwaitCallback, End, Pause, Raw, Rest, Send

__all__ = ["REQUEST_ORDER"]

_KEPT = "kept_connections"
_PIPES = "pipelines"
_BEHIND = "divergence_16"
_HEALTH = "GET /healthz HTTP/1.1"
_HEALTHY = request(_HEALTH, HOST)
_STREAM = request("GET /x HTTP/1.1", HOST)
_OPTIONS = request("OPTIONS /x HTTP/1.1", HOST)
_CLOSE = '{"token":"$T","close":true}'
_LATER_SEND = '{"token":"nope","event":{"data":"x"}}'

_CONNECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("close", "1.1", ("Connection: close",)),
    ("close_upper", "1.1", ("CONNECTION: CLOSE",)),
    ("close_in_a_list", "1.1", ("Connection: x, close",)),
    ("close_in_two_headers", "1.1", ("Connection: x", "Connection: close")),
    ("keep_alive", "1.1", ("Connection: keep-alive",)),
    ("both", "1.1", ("Connection: keep-alive, close",)),
    ("http_1_0", "1.0", ()),
    ("http_1_0_keep_alive", "1.0", ("Connection: keep-alive",)),
    ("http_1_0_keep_alive_upper", "1.0", ("Connection: Keep-Alive",)),
    ("proxy_connection", "1.1", ("Proxy-Connection: close",)),
)


def _behind_stream(case: str, behind: str, *awaits: str) -> Scenario:
    """Return a scenario in which a request follows that of a stream; then the stream is closed."""
    return Scenario(
        _BEHIND,
        (
            Raw((_STREAM, behind)),
            Pause(0.05),
            Send({"token": "$T", "event": {"data": "x"}, "close": True}, "closed"),
            End(),
            AwaitCallback(),
            Rest(awaits),
        ),
        {
            "case": case,
            "answer": "$value:answer",
            "closed": "$status:closed",
            "rest": "$value:rest",
            "callbacks": "$actions",
        },
        case=case,
    )


REQUEST_ORDER = (
    *(
        raw_request(_KEPT, case, request(f"GET /healthz HTTP/{version}", HOST, *lines))
        for case, version, lines in _CONNECTIONS
    ),
    raw_request(_KEPT, "options", _OPTIONS, awaits=("OPTIONS",)),
    raw_request(_KEPT, "head", request("HEAD /healthz HTTP/1.1", HOST), awaits=("HEAD",)),
    raw_request(_KEPT, "not_found", request("DELETE /x HTTP/1.1", HOST)),
    raw_send(_KEPT, "send", post(EVENT)),
    raw_send(_KEPT, "unknown_token", post('{"token":"nope"}')),
    raw_request(_KEPT, "four_seconds_later", _HEALTHY, pause=4.0, seconds=4.1),
    raw_request(_PIPES, "three_healths", _HEALTHY * 3, awaits=("GET",) * 3),
    raw_request(
        _PIPES,
        "different_ones",
        _HEALTHY,
        _OPTIONS,
        request("HEAD /healthz HTTP/1.1", HOST),
        request("PUT /x HTTP/1.1", HOST, "Content-Length: 0"),
        _HEALTHY,
        awaits=("GET", "OPTIONS", "HEAD", "PUT", "GET"),
    ),
    raw_send(_PIPES, "three_sends", post(EVENT) * 3, awaits=("POST",) * 3),
    raw_send(_PIPES, "send_and_health", post(EVENT), _HEALTHY, awaits=("POST", "GET")),
    raw_send(_PIPES, "bad_and_good", post("{]"), post(EVENT), awaits=("POST", "POST")),
    raw_send(
        _PIPES,
        "wrong_type_and_good",
        post(EVENT, "Content-Type: text/plain"),
        post(EVENT),
        awaits=("POST", "POST"),
    ),
    raw_send(
        _PIPES,
        "not_found_and_good",
        request("POST /nope HTTP/1.1", HOST, "Content-Length: 0"),
        post(EVENT),
        awaits=("POST", "POST"),
    ),
    raw_send(
        _PIPES,
        "too_large_and_good",
        f"POST /internal/send HTTP/1.1\r\n{HOST}\r\n",
        "Content-Type: application/json\r\nContent-Length: 110000\r\n\r\n",
        (" ", 110_000),
        post(EVENT),
        awaits=("POST", "POST"),
    ),
    raw_send(
        _PIPES,
        "send_close_send",
        post(EVENT),
        post(_CLOSE),
        post(EVENT),
        awaits=("POST", "POST", "POST"),
    ),
    raw_send(_PIPES, "close_and_close", post(_CLOSE) * 2, awaits=("POST", "POST")),
    raw_request(
        _PIPES,
        "last_one_closes",
        _HEALTHY,
        request(_HEALTH, HOST, "Connection: close"),
        _HEALTHY,
        awaits=("GET", "GET"),
    ),
    raw_request(_PIPES, "health_and_stream", _HEALTHY, _STREAM, awaits=("GET", "GET")),
    raw_request(_PIPES, "health_and_nonsense", _HEALTHY, "nonsense\r\n\r\n", awaits=("GET", "GET")),
    _behind_stream("nothing", ""),
    _behind_stream("health", _HEALTHY, "GET"),
    _behind_stream("send", post(_LATER_SEND), "POST"),
    _behind_stream("head", request("HEAD /healthz HTTP/1.1", HOST), "HEAD"),
    _behind_stream("options", _OPTIONS, "OPTIONS"),
    # Both callbacks are sent at the same time, so the order of their arrival is not defined.
    Scenario(
        _BEHIND,
        (Raw((_STREAM, request("GET /y HTTP/1.1", HOST))), Pause(0.1)),
        {"case": "second_stream", "answer": "$value:answer", "callbacks": "$actions"},
        case="second_stream",
    ),
)
"""The scenarios about connections that carry more than one request."""
