"""Scenarios for the numbered divergences; ``judge/divergences.py`` has the expected answers."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.reply import Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.scenarios.lifecycle import event
from gateway_shim.parity.scenarios.requests.methods import method
from gateway_shim.parity.steps import (
    AwaitCallback,
    End,
    Fence,
    Open,
    Overflow,
    Post,
    Send,
    Terminate,
)

__all__ = ["DIVERGING"]

_HEAD = {"head": "$head:s", "callbacks": "$actions"}


def _event_scenario(number: int, case: str, item: dict[str, Any]) -> Scenario:
    return Scenario(
        f"divergence_{number}",
        (Open(), Fence(forget=True), Send({"token": "$T", "event": item}), Fence()),
        {"case": case, "answer": "$answer:answer", "bytes": "$body:s"},
        case=case,
    )


def _buffered_scenario(case: str, *sends: Any, ends: bool = False) -> Scenario:
    last = (End(), AwaitCallback()) if ends else (Fence(),)
    return Scenario(
        "divergence_4",
        (Open(reply=Reply(sends=sends)), *last),
        {"case": case, "bytes": "$body:s", "ended": "$ended:s"},
        case=case,
    )


def _status_scenario(status: int) -> Scenario:
    return Scenario(
        "divergence_9",
        (Open(reply=Reply(status, "Odd")), End()),
        {"case": str(status), **_HEAD, "body": "$body:s", "ended": "$ended:s"},
        case=str(status),
    )


DIVERGING = (
    Scenario(
        "divergence_1",
        (Post("{]"),),
        {"case": "not_json", "answer": "$answer:answer"},
        case="not_json",
    ),
    Scenario(
        "divergence_1",
        (Post("<a/>", "text/xml"),),
        {"case": "other_content_type", "answer": "$answer:answer"},
        case="other_content_type",
    ),
    Scenario(
        "divergence_1",
        (Post(" " * 200_000),),
        {"case": "too_large", "answer": "$answer:answer"},
        case="too_large",
    ),
    method("divergence_1", "PUT /anything"),
    _event_scenario(2, "line_feed", {"name": "a\ndata: forged", "data": "1"}),
    _event_scenario(2, "carriage_return", {"name": "a\rdata: forged", "data": "1"}),
    _event_scenario(2, "nul", {"name": "a\0b", "data": "1"}),
    _event_scenario(3, "mixed", {"data": "a\r\nb\rc\nd\r"}),
    _event_scenario(3, "named", {"name": "n", "data": '"a"\r'}),
    _buffered_scenario("empty_between_events", event("a", "1"), {"token": "$T"}, event("a", "2")),
    _buffered_scenario(
        "close_after_event", event("a", "1"), {"token": "$T", "close": True}, ends=True
    ),
    Scenario(
        "divergence_5",
        (
            Open("live", "/same"),
            Fence("live"),
            Open("head", "/same", method="HEAD"),
            Send({"token": "$T", "event": {"data": "still here"}}, stream="live"),
            Fence("live"),
        ),
        {"head": "$head:head", "live": "$body:live", "callbacks": "$actions"},
    ),
    _event_scenario(6, "empty", {"name": "n", "data": ""}),
    _event_scenario(6, "text", {"name": "n", "data": 'say "hi"'}),
    _event_scenario(6, "not_quite_json", {"name": "n", "data": "NaN"}),
    _event_scenario(6, "newline_in_json", {"name": "n", "data": '{"a":\n1}'}),
    _event_scenario(6, "newline_in_text", {"name": "n", "data": "a\nb"}),
    Scenario(
        "divergence_7",
        (
            Open(receive_buffer=4096),
            # Twelve megabytes, because the kernel's own buffers take several.
            Overflow(96_000, 128),
            Send({"token": "$T"}, "after"),
            AwaitCallback(),
        ),
        {
            "ended": "$value:ended:s",
            "send_after": "$answer:after",
            "callbacks": "$reasons",
        },
        process=Process(),
        seconds=5.0,
    ),
    Scenario(
        "divergence_8",
        (Open("a", "/one"), Open("b", "/two"), Fence("a"), Fence("b"), Terminate()),
        {
            "exit_code": "$value:exit_code",
            "seconds": "$value:seconds",
            "ended": ["$ended:a", "$ended:b"],
            "callbacks": "$disconnects",
        },
        process=Process(),
        seconds=10.0,
    ),
    _status_scenario(600),
    _status_scenario(999),
    # Only one of the gateways opens a stream, so the scenario does not wait for an end.
    Scenario(
        "divergence_9",
        (Open(reply=Reply(interim=(100,))),),
        {"case": "100_then_200", **_HEAD},
        case="100_then_200",
    ),
)
"""The scenarios of the divergences that no module about callbacks or requests has."""
