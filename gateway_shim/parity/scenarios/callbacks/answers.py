"""Helpers for scenarios in which the backend's answer is given byte for byte."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.reply import After, RawAnswer, Reply, raw_data
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import Fence, Open, Step

__all__ = ["answer", "answer_scenario", "label", "redirect", "then_closed"]


def answer(status: str, body: str = "{}", headers: str = "") -> str:
    """Return a whole answer: status code and reason phrase, header lines, Content-Length, body."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}"


def label(text: str) -> str:
    """Return a text as the name of a case, in which only printable ASCII is not escaped."""
    return text.encode("unicode_escape").decode("ascii")


def then_closed(raw: RawAnswer, after: After = After.CLOSE) -> Reply:
    """Return an answer after which the backend closes the connection."""
    return Reply(raw=raw, after=after)


def redirect(location: str, status: int = 307, *then: Reply, times: int = 1) -> Reply:
    """Return a redirect, and the answers to the requests that follow it."""
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
    """Return a scenario with a stream whose connect callback gets the given answer.

    Args:
        name: the scenario's name.
        case: the scenario's case.
        reply: the answer.
        steps: the steps after the stream's head has come; a fence is added as the last step.
        seconds: the approximate duration.
        observe: further entries of the template.
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
