"""The shrinking of a case: without a step, a header, a field, or a part of a text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.generation import has_empty_rejection
from gateway_shim.parity.reply import RawAnswer, Reply
from gateway_shim.parity.steps import (
    AwaitCallback,
    Drop,
    Open,
    Post,
    Raw,
    Send,
    SendCompressed,
    Step,
)

__all__ = ["smaller_cases"]

_RUN = re.compile(r"(.{1,8}?)\1{8,}", re.DOTALL)
_SHORT = 9
_MAX_LINES_ONE_BY_ONE = 40


def smaller_cases(case: Case) -> Iterator[Case]:
    """Yield playable cases that are a little smaller; those that are much smaller come first."""
    for index in range(len(case.steps)):
        name = getattr(case.steps[index], "stream", None)
        if isinstance(case.steps[index], Open):
            rest = tuple(s for s in case.steps if getattr(s, "stream", None) != name)
        elif isinstance(case.steps[index], AwaitCallback):
            continue  # without this step, the observed callbacks would depend on timing
        else:
            rest = case.steps[:index] + case.steps[index + 1 :]
            if isinstance(case.steps[index], Drop):
                rest = tuple(s for s in rest if s != AwaitCallback(name or ""))
        if rest and Case(rest).is_playable():
            yield Case(rest)
    for index, step in enumerate(case.steps):
        for simpler in _simpler(step):
            candidate = Case((*case.steps[:index], simpler, *case.steps[index + 1 :]))
            if candidate.is_playable():
                yield candidate


def _simpler(step: Step) -> Iterator[Step]:
    match step:
        case Open():
            if step.version != "1.1":
                yield dataclasses.replace(step, version="1.1")
            for reply in _simpler_replies(step.reply):
                yield dataclasses.replace(step, reply=reply)
            for headers in _without_one(step.headers):
                yield dataclasses.replace(step, headers=headers)
            for target in shorter_texts(step.target):
                if target.startswith("/"):
                    yield dataclasses.replace(step, target=target)
        case Send(dict() as body) | SendCompressed(dict() as body):
            for simpler in _simpler_bodies(body):
                if not has_empty_rejection(simpler):
                    yield dataclasses.replace(step, body=simpler)
        case Post(raw):
            for text in shorter_texts(raw):
                yield dataclasses.replace(step, raw=text)
        case Raw(parts):
            for simpler_parts in _simpler_pieces(parts):
                yield dataclasses.replace(step, parts=simpler_parts)


def _simpler_replies(reply: Reply) -> Iterator[Reply]:
    plain = Reply(fate=reply.fate)
    if reply == plain:
        return
    yield plain
    for sends in _without_one(reply.sends):
        yield dataclasses.replace(reply, sends=sends)
    if reply.times > 1:
        yield dataclasses.replace(reply, times=1)
    for later in _without_one(reply.then):
        yield dataclasses.replace(reply, then=later)
    if isinstance(reply.raw, str):
        for text in shorter_texts(reply.raw):
            yield dataclasses.replace(reply, raw=text)
    elif reply.raw is not None:
        for raw in _simpler_pieces(reply.raw):
            yield dataclasses.replace(reply, raw=_one_text(raw))


def _simpler_pieces(
    pieces: tuple[str | tuple[str, int], ...],
) -> Iterator[tuple[str | tuple[str, int], ...]]:
    """Yield bytes without a piece, with fewer repetitions, or with a shorter text."""
    if len(pieces) > 1:
        yield from _without_one(pieces)
    for index, piece in enumerate(pieces):
        if isinstance(piece, str):
            fewer: Iterator[str | tuple[str, int]] = iter(shorter_texts(piece))
        else:
            counts = (1, piece[1] // 2, piece[1] - 1)
            fewer = iter((piece[0], count) for count in counts if 0 < count < piece[1])
        for simpler in fewer:
            yield (*pieces[:index], simpler, *pieces[index + 1 :])


def _one_text(pieces: tuple[str | tuple[str, int], ...]) -> RawAnswer:
    texts = [piece for piece in pieces if isinstance(piece, str)]
    return "".join(texts) if len(texts) == len(pieces) else pieces


def _simpler_bodies(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key in ("close", "event"):
        if key in body:
            yield _without(body, key)
    event = body.get("event")
    if isinstance(event, dict):
        for key in list(event):
            yield {**body, "event": _without(event, key)}
            if isinstance(event[key], str):
                for text in shorter_texts(event[key]):
                    yield {**body, "event": {**event, key: text}}


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _without_one(items: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """Yield the halves of many items, and all but one of a few items."""
    if len(items) > _SHORT:
        yield items[: len(items) // 2]
        yield items[len(items) // 2 :]
        return
    for index in range(len(items)):
        yield items[:index] + items[index + 1 :]


def shorter_texts(text: str) -> Iterator[str]:
    """Yield shorter texts: with fewer repetitions, a half, without a line, without a character.

    All repetitions become shorter at the same time, so that brackets still match.
    """
    if (fewer := _RUN.sub(_half, text)) != text:
        yield fewer
    lines = text.splitlines(keepends=True)
    if 1 < len(lines) <= _MAX_LINES_ONE_BY_ONE:
        for index in range(len(lines)):
            yield "".join(lines[:index] + lines[index + 1 :])
    half = len(text) // 2
    if half > 4:
        yield text[:half]
        yield text[half:]
        return
    for index in range(len(text)):
        yield text[:index] + text[index + 1 :]


def _half(run: re.Match[str]) -> str:
    unit = run[1]
    return unit * max(1, len(run[0]) // len(unit) // 2)
