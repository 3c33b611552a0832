"""A callback's answer as a scenario: the bytes that a backend writes, and what a client gets."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.reply import After, RawAnswer, Reply, raw_data
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import Fence, Open, Step

__all__ = ["answer", "answer_scenario", "label", "redirect", "then_closed"]


def answer(status: str, body: str = "{}", headers: str = "") -> str:
    """A whole answer: status code and reason phrase, header lines, Content-Length, body."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}"


def label(text: str) -> str:
    """A text as the name of a case: whatever is not printable ASCII is an escape."""
    return text.encode("unicode_escape").decode("ascii")


def then_closed(raw: RawAnswer, after: After = After.CLOSE) -> Reply:
    """An answer after which the backend closes the connection."""
    return Reply(raw=raw, after=after)


def redirect(location: str, status: int = 307, *then: Reply, times: int = 1) -> Reply:
    """An answer that sends the gateway elsewhere, where the given ones wait for it."""
    raw = answer(f"{status} M", "", f"Location: {location}\r\n")
    return Reply(raw=raw, times=times, then=then)


def answer_scenario(
    name: str,
    case: str,
    reply: RawAnswer | Reply,
    *steps: Step,
    seconds: float = 0.0,
    observe: dict[str, Any] | None = None,
) -> Scenario:
    """A stream whose connect callback is answered so.

    Args:
        name: the scenario's name.
        case: its case.
        reply: the answer.
        steps: what happens after the stream's head has come; a fence is the last step.
        seconds: about how long it takes.
        observe: what else is looked at.
    """
    if not isinstance(reply, Reply):
        reply = Reply(raw=reply)
    return Scenario(
        name,
        (Open(reply=reply), *steps, Fence()),
        {
            "case": case,
            "callback_answer_raw": raw_data(reply),
            "head": "$head:s",
            "body": "$body:s",
            "ended": "$ended:s",
            "calls": "$calls",
            **(observe or {}),
        },
        case=case,
        seconds=seconds,
    )
