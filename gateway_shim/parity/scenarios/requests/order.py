"""Several requests on one connection: pipelines, kept connections, what comes behind a stream."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios.requests.raw import EVENT, HOST, asked, post, request, told
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


def _behind(case: str, behind: str, *awaits: str) -> Scenario:
    """A stream whose connection carries another request; then the stream is closed."""
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
        asked(_KEPT, case, request(f"GET /healthz HTTP/{version}", HOST, *lines))
        for case, version, lines in _CONNECTIONS
    ),
    asked(_KEPT, "options", _OPTIONS, awaits=("OPTIONS",)),
    asked(_KEPT, "head", request("HEAD /healthz HTTP/1.1", HOST), awaits=("HEAD",)),
    asked(_KEPT, "not_found", request("DELETE /x HTTP/1.1", HOST)),
    told(_KEPT, "send", post(EVENT)),
    told(_KEPT, "unknown_token", post('{"token":"nope"}')),
    asked(_KEPT, "four_seconds_later", _HEALTHY, pause=4.0, seconds=4.1),
    asked(_PIPES, "three_healths", _HEALTHY * 3, awaits=("GET",) * 3),
    asked(_PIPES, "different_ones", _HEALTHY, _OPTIONS, request("HEAD /healthz HTTP/1.1", HOST),
          request("PUT /x HTTP/1.1", HOST, "Content-Length: 0"), _HEALTHY,
          awaits=("GET", "OPTIONS", "HEAD", "PUT", "GET")),
    told(_PIPES, "three_sends", post(EVENT) * 3, awaits=("POST",) * 3),
    told(_PIPES, "send_and_health", post(EVENT), _HEALTHY, awaits=("POST", "GET")),
    told(_PIPES, "bad_and_good", post("{]"), post(EVENT), awaits=("POST", "POST")),
    told(_PIPES, "wrong_type_and_good", post(EVENT, "Content-Type: text/plain"), post(EVENT),
         awaits=("POST", "POST")),
    told(_PIPES, "not_found_and_good", request("POST /nope HTTP/1.1", HOST, "Content-Length: 0"),
         post(EVENT), awaits=("POST", "POST")),
    told(_PIPES, "too_large_and_good", f"POST /internal/send HTTP/1.1\r\n{HOST}\r\n",
         "Content-Type: application/json\r\nContent-Length: 110000\r\n\r\n", (" ", 110_000),
         post(EVENT), awaits=("POST", "POST")),
    told(_PIPES, "send_close_send", post(EVENT), post(_CLOSE), post(EVENT),
         awaits=("POST", "POST", "POST")),
    told(_PIPES, "close_and_close", post(_CLOSE) * 2, awaits=("POST", "POST")),
    asked(_PIPES, "last_one_closes", _HEALTHY, request(_HEALTH, HOST, "Connection: close"),
          _HEALTHY, awaits=("GET", "GET")),
    asked(_PIPES, "health_and_stream", _HEALTHY, _STREAM, awaits=("GET", "GET")),
    asked(_PIPES, "health_and_nonsense", _HEALTHY, "nonsense\r\n\r\n", awaits=("GET", "GET")),
    _behind("nothing", ""),
    _behind("health", _HEALTHY, "GET"),
    _behind("send", post(_LATER_SEND), "POST"),
    _behind("head", request("HEAD /healthz HTTP/1.1", HOST), "HEAD"),
    _behind("options", _OPTIONS, "OPTIONS"),
    # Both are asked for at once, so which of them is the first to be told is a matter of luck.
    Scenario(
        _BEHIND,
        (Raw((_STREAM, request("GET /y HTTP/1.1", HOST))), Pause(0.1)),
        {"case": "second_stream", "answer": "$value:answer", "callbacks": "$actions"},
        case="second_stream",
    ),
)  # fmt: skip
"""Requests on connections that other requests use, too."""
