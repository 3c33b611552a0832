"""How a case becomes smaller: without a step, a header, a field, or a part of a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_shim.parity.cases import Case
from gateway_shim.parity.steps import Open, Send, Step
from gateway_shim.parity.stub_backend import Reply

__all__ = ["smaller"]


def smaller(case: Case) -> Iterator[Case]:
    """Playable cases that are a little smaller, the much smaller ones first."""
    for index in range(len(case.steps)):
        name = getattr(case.steps[index], "stream", None)
        if isinstance(case.steps[index], Open):
            rest = tuple(s for s in case.steps if getattr(s, "stream", None) != name)
        else:
            rest = case.steps[:index] + case.steps[index + 1 :]
        if rest and Case(rest).is_playable():
            yield Case(rest)
    for index, step in enumerate(case.steps):
        for simpler in _simpler(step):
            candidate = Case((*case.steps[:index], simpler, *case.steps[index + 1 :]))
            if candidate.is_playable():
                yield candidate


def _simpler(step: Step) -> Iterator[Step]:
    if isinstance(step, Open):
        if step.version != "1.1":
            yield dataclasses.replace(step, version="1.1")
        plain = Reply(fate=step.reply.fate)
        if step.reply != plain:
            yield dataclasses.replace(step, reply=plain)
            for index in range(len(step.reply.sends)):
                sends = step.reply.sends[:index] + step.reply.sends[index + 1 :]
                yield dataclasses.replace(step, reply=dataclasses.replace(step.reply, sends=sends))
        for index in range(len(step.headers)):
            yield dataclasses.replace(
                step, headers=step.headers[:index] + step.headers[index + 1 :]
            )
        for target in _shorter(step.target):
            if target.startswith("/"):
                yield dataclasses.replace(step, target=target)
    elif isinstance(step, Send) and isinstance(step.body, dict):
        for key in ("close", "event"):
            if key in step.body:
                yield dataclasses.replace(step, body=_without(step.body, key))
        event = step.body.get("event")
        if isinstance(event, dict):
            for key in list(event):
                yield dataclasses.replace(step, body={**step.body, "event": _without(event, key)})
                if isinstance(event[key], str):
                    for text in _shorter(event[key]):
                        changed = {**event, key: text}
                        yield dataclasses.replace(step, body={**step.body, "event": changed})


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _shorter(text: str) -> Iterator[str]:
    half = len(text) // 2
    if half > 4:
        yield text[:half]
        yield text[half:]
        return
    for index in range(len(text)):
        yield text[:index] + text[index + 1 :]
