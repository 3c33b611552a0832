"""Scenarios about ``POST /internal/send``: events, checks, malformed bodies, closing a stream."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import (
    AwaitCallback,
    End,
    Fence,
    Open,
    Post,
    Send,
    SendCompressed,
)

__all__ = ["SENDS"]

_EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("named", {"name": "version", "data": '{"version":"1.2.3"}'}),
    ("unnamed", {"data": "hello"}),
    ("empty_name", {"name": "", "data": "x"}),
    ("empty_data", {"data": ""}),
    ("named_empty_data", {"name": "n", "data": ""}),
    ("multiline", {"data": "a\nb\nc"}),
    ("trailing_newline", {"data": "a\n"}),
    ("blank_line", {"data": "a\n\nb"}),
    ("crlf", {"data": "a\r\nb"}),
    ("lone_cr", {"data": "a\rb"}),
    ("leading_space", {"data": " a"}),
    ("colon", {"data": ":x"}),
    ("unicode", {"name": "\xe9", "data": '"\U0001f600 \xfc \u2028"'}),
    ("named_multiline", {"name": "n", "data": "1\n2"}),
    ("name_newline", {"name": "a\nb", "data": "1"}),
    ("ready_name", {"name": "ready", "data": "1"}),
    ("rejected_name", {"name": "rejected", "data": "1"}),
    ("nul", {"data": "a\0b"}),
    ("extra_fields", {"name": "n", "data": "1", "id": "5", "retry": 9}),
    ("name_quotes", {"name": 'a"b', "data": "1"}),
    ("data_not_json_named", {"name": "n", "data": "plain text"}),
)

_CHECKS: tuple[tuple[str, Any], ...] = (
    ("no_token", {}),
    ("token_empty", {"token": ""}),
    ("token_number", {"token": 5}),
    ("token_null", {"token": None}),
    ("event_null", {"token": "$T", "event": None}),
    ("event_string", {"token": "$T", "event": "x"}),
    ("event_array", {"token": "$T", "event": []}),
    ("event_number", {"token": "$T", "event": 1}),
    ("no_data", {"token": "$T", "event": {"name": "n"}}),
    ("data_null", {"token": "$T", "event": {"data": None}}),
    ("data_number", {"token": "$T", "event": {"data": 5}}),
    ("data_object", {"token": "$T", "event": {"data": {}}}),
    ("name_null", {"token": "$T", "event": {"name": None, "data": "d"}}),
    ("name_number", {"token": "$T", "event": {"name": 3, "data": "d"}}),
    ("close_string", {"token": "$T", "close": "true"}),
    ("close_null", {"token": "$T", "close": None}),
    ("close_number", {"token": "$T", "close": 1}),
    ("unknown_token", {"token": "nope", "event": {"data": "d"}}),
    ("unknown_token_bad_event", {"token": "nope", "event": 5}),
    ("token_only", {"token": "$T"}),
    ("close_false", {"token": "$T", "close": False}),
    ("unknown_fields", {"token": "$T", "zzz": 1, "event": {"data": "ok"}}),
    ("array_body", []),
    ("array_body_nonempty", [1]),
)


def _sized(size: int) -> str:
    head, tail = '{"token":"nope","event":{"data":"', '"}}'
    return head + "x" * (size - len(head) - len(tail)) + tail


_JSON = "application/json"
_UNKNOWN = '{"token":"nope","event":{"data":"d"}}'
_BODIES: tuple[tuple[str, str, str | None], ...] = (
    ("bad_json", '{"token":', _JSON),
    ("empty", "", _JSON),
    ("json_string", '"x"', _JSON),
    ("json_null", "null", _JSON),
    ("form", "token=nope", "application/x-www-form-urlencoded"),
    ("no_content_type", _UNKNOWN, None),
    ("text_plain", _UNKNOWN, "text/plain"),
    ("charset", _UNKNOWN, "application/json; charset=utf-8"),
    ("vendor_json", _UNKNOWN, "application/vnd.api+json"),
    ("latin1", '{"token":"nope","event":{"data":"\xe9"}}', _JSON),
    ("100k", _sized(102_400), _JSON),
    ("101k", _sized(102_401), _JSON),
)

_CODINGS: tuple[tuple[str, str, str, str], ...] = (
    ("gzip", "gzip", "gzip", "x"),
    ("gzip_upper", "GZIP", "gzip", "x"),
    ("deflate", "deflate", "deflate", "x"),
    ("gzip_but_plain", "gzip", "", "x"),
    ("gzip_bomb", "gzip", "gzip", "x" * 1_000_000),
    ("x_gzip", "x-gzip", "gzip", "x"),
    ("unknown", "foo", "", "x"),
)

SENDS = (
    *(
        Scenario(
            "send_events",
            (Open(), Fence(forget=True), Send({"token": "$T", "event": event}), Fence()),
            {"case": case, "event": event, "answer": "$answer:answer", "bytes": "$body:s"},
            case=case,
        )
        for case, event in _EVENTS
    ),
    *(
        Scenario(
            "send_validation",
            (Open(), Fence(forget=True), Send(body), Fence()),
            {"case": case, "body": body, "answer": "$answer:answer", "bytes": "$body:s"},
            case=case,
        )
        for case, body in _CHECKS
    ),
    *(
        Scenario(
            "send_malformed_bodies",
            (Post(raw, content_type),),
            {"case": case, "content_type": content_type, "answer": "$answer:answer"},
            case=case,
        )
        for case, raw, content_type in _BODIES
    ),
    *(
        Scenario(
            "send_compressed",
            (
                Open(),
                Fence(forget=True),
                SendCompressed({"token": "$T", "event": {"data": data}}, coding, packing),
                Fence(),
            ),
            {"case": case, "answer": "$answer:answer", "bytes": "$body:s"},
            case=case,
        )
        for case, coding, packing, data in _CODINGS
    ),
    Scenario(
        "send_close",
        (
            Open(),
            Fence(forget=True),
            Send({"token": "$T", "event": {"name": "bye", "data": "{}"}, "close": True}),
            End(),
            Send({"token": "$T", "event": {"data": "late"}}, "again"),
            AwaitCallback(),
        ),
        {
            "answer": "$answer:answer",
            "bytes": "$body:s",
            "ended": "$ended:s",
            "again": "$answer:again",
            "callbacks": "$reasons",
        },
    ),
    Scenario(
        "close_only",
        (Open(), Fence(forget=True), Send({"token": "$T", "close": True}), End(), AwaitCallback()),
        {
            "answer": "$answer:answer",
            "bytes": "$body:s",
            "ended": "$ended:s",
            "callbacks": "$reasons",
        },
    ),
)
"""The given recordings' scenarios about sending."""
