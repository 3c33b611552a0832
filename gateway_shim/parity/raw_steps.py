"""Steps about requests that no HTTP library makes: the bytes as they are, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Part", "Raw", "Rest", "parts_from_json", "written"]

Part = str | tuple[str, int]
"""Text to write, or a text and how often it is repeated; in a repeated text each ``#`` is the
number of the repetition, counted from 0."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes on a connection of their own, and the answers to them; the value is ``NAME``.

    The value holds ``answers``, each with its status, the headers that matter and its body, and
    what became of the ``connection``: ``stream`` (the last answer is a stream, which the steps
    after this one know by its name), ``served`` (a further request was answered), ``closed``,
    ``open`` (although the answer announced its close), or ``silent`` (an answer did not come).

    Args:
        parts: what is written, as latin-1 text; ``$T`` is the stream's token.
        awaits: the methods of the requests whose answers are awaited, in order.
        name: what the scenario calls the value.
        stream: whose token ``$T`` is, and what a stream that these bytes open is called.
        finishes: whether the client finishes writing (a TCP half-close) behind the bytes.
        pause: how long the connection is left alone before the further request, seconds.
    """

    parts: tuple[Part, ...]
    awaits: tuple[str, ...] = ("GET",)
    name: str = "answer"
    stream: str = "s"
    finishes: bool = False
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Rest:
    """The answers that come behind a stream on its connection; the value is as for :class:`Raw`.

    Args:
        awaits: the methods of the requests whose answers are awaited, in order.
        name: what the scenario calls the value.
        stream: which stream; it has ended.
    """

    awaits: tuple[str, ...] = ("GET",)
    name: str = "rest"
    stream: str = "s"


def written(parts: tuple[Part, ...], token: str | None) -> bytes:
    """Put the bytes of a :class:`Raw` together.

    Args:
        parts: its parts.
        token: what stands for ``$T``; None leaves it as it is.
    """
    texts = [
        part
        if isinstance(part, str)
        else "".join(part[0].replace("#", str(number)) for number in range(part[1]))
        for part in parts
    ]
    text = "".join(texts)
    return (text if token is None else text.replace("$T", token)).encode("latin-1")


def parts_from_json(parts: Any) -> tuple[Part, ...]:
    """Read the parts of a :class:`Raw` from their JSON form.

    Raises:
        ValueError: one is neither a text nor a text with a number.
    """
    return tuple(_part(part) for part in parts)


def _part(part: Any) -> Part:
    match part:
        case str():
            return part
        case [str(text), int(count)]:
            return text, count
    raise ValueError(f"neither a text nor [text, count]: {json.dumps(part)[:100]}")
