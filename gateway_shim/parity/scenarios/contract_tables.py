"""Scenarios for the rows of the contract's tables that the given recordings do not show."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.scenarios.lifecycle import buffered, event
from gateway_shim.parity.scenarios.requests.methods import method
from gateway_shim.parity.steps import (
    AwaitCallback,
    AwaitExit,
    AwaitHeartbeats,
    Drop,
    End,
    Fence,
    OnDisconnect,
    Open,
    Pause,
    Send,
)

__all__ = ["CONTRACT_TABLES"]

_OUTCOME = {
    "head": "$head:s",
    "body": "$body:s",
    "ended": "$ended:s",
    "callbacks": "$actions",
}

_EVENTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("no_line_ends", {"data": "a\u2028b\u2029c\x85d\ve\ff\x1cg"}),
    ("tab", {"data": "\ta\t"}),
    ("byte_order_mark", {"data": "\ufeffa"}),
    ("lone_surrogate", {"data": "a\ud800b"}),
    ("only_newlines", {"data": "\n\n"}),
    ("named_object", {"name": "n", "data": '{"a":[1,2.50,1e3,true,null,"\\u00e9"]}'}),
    ("named_spaced_json", {"name": "n", "data": ' { "a" : 1 } '}),
    ("named_string", {"name": "n", "data": '"text"'}),
    ("named_duplicate_keys", {"name": "n", "data": '{"a":1,"a":2}'}),
    ("named_long_integer", {"name": "n", "data": "9" * 5000}),
    ("name_with_spaces", {"name": " a b ", "data": "1"}),
    ("name_with_colon", {"name": "a:b", "data": "1"}),
    ("name_control_character", {"name": "a\tb\x01", "data": "1"}),
    ("message_name", {"name": "message", "data": "1"}),
    ("long", {"data": "x" * 20_000}),
)

_CHECKS: tuple[tuple[str, Any], ...] = (
    ("token_before_event", {"event": 5}),
    ("data_before_name", {"token": "$T", "event": {"name": 5}}),
    ("name_before_close", {"token": "$T", "event": {"name": 5, "data": "d"}, "close": 1}),
    ("event_before_close", {"token": "$T", "event": None, "close": 1}),
    ("close_before_token", {"token": "nope", "close": 1}),
    ("event_array_nonempty", {"token": "$T", "event": [{"data": "d"}]}),
    ("event_false", {"token": "$T", "event": False}),
    ("token_object", {"token": {}, "event": {"data": "d"}}),
    ("token_false", {"token": False}),
    ("name_object", {"token": "$T", "event": {"name": {}, "data": "d"}}),
    ("name_false", {"token": "$T", "event": {"name": False, "data": "d"}}),
)

_METHODS = (
    "GET /readyz/",
    "GET /ReadyZ?x",
    "HEAD /readyz",
    "POST /readyz",
    "PATCH /internal/send",
    "DELETE /internal/send",
    "PUT /healthz",
    "OPTIONS /healthz",
    "OPTIONS /",
)

_HEADERS = (
    ("Authorization", "first"),
    ("Authorization", "second"),
    ("Content-Type", "a/b"),
    ("Content-Type", "c/d"),
    ("Referer", "r1"),
    ("Referer", "r2"),
    ("X-Forwarded-For", "1.1.1.1"),
    ("X-Forwarded-For", "2.2.2.2"),
    ("X-Blank", "  padded \t"),
    ("Accept-Encoding", "gzip, br"),
    ("Accept-Language", "de"),
    ("Accept-Language", "en"),
)


def _callback(case: str, reply: Reply, *last: Any) -> Scenario:
    steps = (Open(reply=reply), *(last or (Fence(),)))
    return Scenario("callback_answers", steps, {"case": case, **_OUTCOME}, case=case)


CONTRACT_TABLES = (
    _callback("200_body_ignored", Reply(body='{"event":{"name":"x","data":"y"},"close":true}')),
    _callback("200_body_no_json", Reply(body="<html>")),
    _callback("299", Reply(299, "Quite fine")),
    _callback("304", Reply(304), End()),
    _callback("302", Reply(302), End()),
    _callback("402", Reply(402), End()),
    _callback("418", Reply(418, "Teapot"), End()),
    _callback("599", Reply(599, "Odd"), End()),
    _callback("401_own_reason", Reply(401, "Not on the list"), End()),
    _callback("403_own_reason", Reply(403, 'Say "please"'), End()),
    _callback("reset", Reply(fate=Fate.RESET), End()),
    _callback("slow", Reply(delay=0.3)),
    _callback("102_then_200", Reply(interim=(102,))),
    _callback("103_then_200", Reply(interim=(103,))),
    _callback("103_then_403", Reply(403, interim=(103,)), End()),
    _callback("101", Reply(101), End()),
    Scenario(
        "connect_callback_unknown_host",
        (Open(), End()),
        {key: value for key, value in _OUTCOME.items() if key != "callbacks"},
        process=Process(callback="unknown host"),
    ),
    Scenario(
        "forwarded_headers",
        (Open(headers=_HEADERS), Fence()),
        {"head": "$head:s", "callbacks": "$callbacks"},
    ),
    Scenario(
        "http_1_0_close",
        (
            Open(version="1.0"),
            Fence(forget=True),
            Send(event("bye", "1", close=True)),
            End(),
            AwaitCallback(),
        ),
        {
            "head": "$head:s",
            "bytes": "$body:s",
            "ended": "$ended:s",
            "callbacks": "$reasons",
        },
    ),
    *(
        Scenario(
            "events",
            (Open(), Fence(forget=True), Send({"token": "$T", "event": item}), Fence()),
            {"case": case, "answer": "$answer:answer", "bytes": "$body:s"},
            case=case,
        )
        for case, item in _EVENTS
    ),
    *(
        Scenario(
            "checks",
            (Open(), Fence(forget=True), Send(body), Fence()),
            {"case": case, "body": body, "answer": "$answer:answer", "bytes": "$body:s"},
            case=case,
        )
        for case, body in _CHECKS
    ),
    *(method("methods", request) for request in _METHODS),
    Scenario(
        "chunk_for_each_event",
        (
            Open(),
            Fence(forget=True),
            *(Send(event("n", f"{number}")) for number in range(3)),
            Fence(),
        ),
        "$chunks:s",
    ),
    Scenario(
        "two_streams",
        (
            Open("a", "/one"),
            Open("b", "/two"),
            Send({"token": "$T", "event": {"data": "to b"}}, "to_b", "b"),
            Send({"token": "$T", "event": {"data": "to a"}}, "to_a", "a"),
            Fence("a"),
            Fence("b"),
            Drop("b"),
            AwaitCallback("b"),
            Send({"token": "$T", "event": {"data": "still"}}, "still", "a"),
            Fence("a"),
        ),
        {
            "a": "$body:a",
            "b": "$body:b",
            "still": "$answer:still",
            "callbacks": "$callbacks",
        },
    ),
    buffered("buffered_mixed", {"token": "$T", "event": {"data": "a\nb"}}, event("n", "1")),
    buffered("buffered_empty_data", event("n", "")),
    buffered("buffered_carriage_return", {"token": "$T", "event": {"data": "a\rb"}}),
    buffered("buffered_invalid", {"token": "$T", "event": {"data": 5}}, event("n", "1")),
    buffered(
        "buffered_close_discards",
        event("a", "1"),
        event("a", "2", close=True),
        event("a", "3"),
        ends=True,
    ),
    Scenario(
        "refused_token_is_gone",
        (
            Open(reply=Reply(404, sends=({"token": "$T", "event": {"data": "x"}},))),
            End(),
            Send({"token": "$T"}),
        ),
        {"during_callback": "$during", "answer": "$answer:answer", "callbacks": "$actions"},
    ),
    Scenario(
        "token_is_gone_at_disconnect",
        (OnDisconnect(({"token": "$T"},)), Open(), Fence(), Drop(), AwaitCallback(), Pause(0.1)),
        {"during_callback": "$during", "callbacks": "$reasons"},
    ),
    Scenario(
        "token_is_gone_at_close",
        (
            OnDisconnect(({"token": "$T"},)),
            Open(),
            Send({"token": "$T", "close": True}),
            AwaitCallback(),
            Pause(0.1),
        ),
        {"during_callback": "$during", "callbacks": "$reasons"},
    ),
    Scenario(
        "disconnect_callback_is_tried_once",
        (OnDisconnect((), status=500), Open(), Fence(), Drop(), AwaitCallback(), Pause(0.3)),
        "$reasons",
    ),
    Scenario(
        "client_resets",
        (Open(), Fence(), Drop(reset=True), AwaitCallback(), Send({"token": "$T"})),
        {"callbacks": "$reasons", "send_after": "$answer:answer"},
    ),
    Scenario(
        "heartbeat_from_own_opening",
        (Open("a"), Pause(0.5), Open("b"), AwaitHeartbeats(1, "a"), AwaitHeartbeats(3, "b")),
        {
            "a": "$value:first_after:a",
            "b": "$value:first_after:b",
            "b_again": "$value:apart:b",
        },
        process=Process(heartbeat_seconds=1),
        seconds=4.0,
    ),
    *(
        Scenario(
            "bad_heartbeat_interval",
            (Open(), Pause(1.3), Fence()),
            {
                "case": value,
                "heartbeats": "$saw:s:: heartbeat",
                "logged": "$output_mentions:HEARTBEAT_INTERVAL_SECONDS",
            },
            case=value,
            process=Process(environment={"HEARTBEAT_INTERVAL_SECONDS": value}),
            seconds=2.0,
        )
        for value in ("abc", "0")
    ),
    Scenario(
        "bad_port_is_logged",
        (AwaitExit({"PORT": "-1"}, "-1"),),
        {"exit": "$value:exit:-1", "logged": "$value:logged:-1"},
        process=Process(start=False),
        seconds=1.0,
    ),
)
"""One scenario for each of these rows."""
