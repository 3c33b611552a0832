"""A backend's answer to a callback, as data: an ordinary answer, or any bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

__all__ = [
    "AT_ONCE",
    "After",
    "Fate",
    "RawAnswer",
    "Reply",
    "raw_bytes",
    "raw_data",
    "reply_from_data",
]

RawAnswer = str | tuple[str | tuple[str, int], ...]
"""Bytes as latin-1 text, or as pieces: a text, or ``(text, n)`` for n times the text."""


class Fate(StrEnum):
    """The fate of a callback."""

    ANSWER = "answer"
    HOLD = "hold"  # is answered when the scenario releases it
    RESET = "reset"
    HANG = "hang"  # is not answered while the session lasts


class After(StrEnum):
    """The fate of a connection after a raw answer."""

    KEEP = "keep"  # open for the next callback
    CLOSE = "close"
    RESET = "reset"
    WITHHOLD = "withhold"  # open without further bytes, then the tail; see Session.withhold


@dataclass(frozen=True, slots=True)
class Reply:
    """A backend's answer to one callback.

    Args:
        status: the HTTP status.
        reason: the reason phrase; empty for the standard one.
        body: the body, which gateways must ignore.
        sends: the bodies of sends made before the answer; ``$T`` is the stream's token.
        delay: seconds to wait before the answer.
        interim: the statuses of the interim answers (1xx) before the answer.
        fate: whether and when the callback is answered.
        raw: the whole answer, byte for byte, instead of status, reason, body and interim; None for
            an ordinary answer. In it, ``$PORT`` is the backend's port.
        after: what happens to the connection after a raw answer.
        tail: the bytes written when a raw answer is no longer withheld.
        every: seconds between the bytes of a raw answer; 0 writes all bytes at once.
        times: the number of consecutive callbacks that get this answer.
        then: the answers to the callbacks after those, for example to a redirect's target.
    """

    status: int = 200
    reason: str = ""
    body: str = "{}"
    sends: tuple[Any, ...] = ()
    delay: float = 0.0
    interim: tuple[int, ...] = ()
    fate: Fate = Fate.ANSWER
    raw: RawAnswer | None = None
    after: After = After.KEEP
    tail: str = ""
    every: float = 0.0
    times: int = 1
    then: tuple[Reply, ...] = ()

    def chain(self) -> tuple[Reply, ...]:
        """Return the answers to this callback and to those that follow it, in order."""
        return (self,) * self.times + tuple(reply for next_ in self.then for reply in next_.chain())


AT_ONCE = Reply()
"""The answer 200 without a delay."""


def raw_bytes(raw: RawAnswer) -> bytes:
    """Return the bytes of a raw answer."""
    pieces = (raw,) if isinstance(raw, str) else raw
    texts = (piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces)
    return "".join(texts).encode("latin-1")


def raw_data(reply: Reply) -> list[dict[str, Any]]:
    """Return a reply and those after it as a recording's ``callback_answer_raw``.

    Returns:
        For each answer ``bytes`` (a text, or a list of texts and ``[text, n]``), and those of
        ``delay``, ``after``, ``tail``, ``every`` and ``times`` that differ from their default.
    """
    plain = {
        name: getattr(reply, name)
        for name in ("delay", "after", "tail", "every", "times")
        if getattr(reply, name) != getattr(AT_ONCE, name)
    }
    later = [item for follower in reply.then for item in raw_data(follower)]
    return [{"bytes": reply.raw, **plain}, *later]


def reply_from_data(data: Mapping[str, Any]) -> Reply:
    """Read a reply from its JSON form: its fields by name, without those at their default.

    Raises:
        ValueError: a field is unknown, or its value has the wrong type.
    """
    names = {item.name for item in fields(Reply)}
    values = {key: value for key, value in data.items() if key != "do"}
    if not values.keys() <= names:
        unknown = ", ".join(sorted(values.keys() - names))
        raise ValueError(f"unknown fields of a reply: {unknown}")
    if "sends" in values:
        values["sends"] = tuple(values["sends"])
    if "interim" in values:
        values["interim"] = tuple(values["interim"])
    if "then" in values:
        values["then"] = tuple(reply_from_data(item) for item in values["then"])
    if isinstance(values.get("raw"), list):
        values["raw"] = tuple(_piece(item) for item in values["raw"])
    values["fate"] = Fate(values.get("fate", Fate.ANSWER))
    values["after"] = After(values.get("after", After.KEEP))
    return Reply(**values)


def _piece(item: Any) -> str | tuple[str, int]:
    if isinstance(item, str):
        return item
    if isinstance(item, list) and [type(part) for part in item] == [str, int]:
        return item[0], item[1]
    raise ValueError(f"expected a text or [text, count], not {item!r:.100}")
