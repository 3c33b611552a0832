"""Steps that write requests byte for byte, which no HTTP library can make, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Part", "Raw", "Rest", "part_bytes", "parts_from_json"]

Part = str | tuple[str, int]
"""A text to write, or a text and the number of times to repeat it.

In a repeated text each ``#`` stands for the number of the repetition, counted from 0.
"""


@dataclass(frozen=True, slots=True)
class Raw:
    """Write bytes on a new connection and read the answers; the value is ``NAME``.

    The value holds ``answers``, each with its status, the headers that matter and its body, and the
    state of the ``connection``: ``stream`` (the last answer is a stream; later steps find it under
    its name), ``served`` (a further request was answered), ``closed``, ``open`` (the connection is
    open although the answer announced its end), or ``silent`` (an answer did not come).

    Args:
        parts: the bytes to write, as latin-1 text; ``$T`` is the stream's token.
        awaits: the methods of the requests whose answers are awaited, in order.
        name: the name of the value in the scenario.
        stream: the stream whose token ``$T`` is; also the name of a stream that these bytes open.
        finishes: whether the client finishes writing (a TCP half-close) after the bytes.
        pause: the time before the further request, seconds.
    """

    parts: tuple[Part, ...]
    awaits: tuple[str, ...] = ("GET",)
    name: str = "answer"
    stream: str = "s"
    finishes: bool = False
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Rest:
    """Read the answers that follow a stream on its connection; the value is as for :class:`Raw`.

    Args:
        awaits: the methods of the requests whose answers are awaited, in order.
        name: the name of the value in the scenario.
        stream: the stream, which has ended.
    """

    awaits: tuple[str, ...] = ("GET",)
    name: str = "rest"
    stream: str = "s"


def part_bytes(parts: tuple[Part, ...], token: str | None) -> bytes:
    """Return the bytes of a :class:`Raw`.

    Args:
        parts: the parts of the step.
        token: the token that replaces ``$T``; None leaves ``$T`` in place.
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
        ValueError: a part is neither a text nor a list of a text and a number.
    """
    return tuple(_part(part) for part in parts)


def _part(part: Any) -> Part:
    match part:
        case str():
            return part
        case [str(text), int(count)]:
            return text, count
    raise ValueError(f"expected a text or [text, count], not {json.dumps(part)[:100]}")
