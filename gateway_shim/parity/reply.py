"""A backend's answer to a callback, as data: an ordinary one, or any bytes."""

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
"""Bytes as latin-1 text. Long ones are pieces: a text, or ``(text, n)`` for n times the text."""


class Fate(StrEnum):
    """What becomes of a callback."""

    ANSWER = "answer"
    HOLD = "hold"  # answered when the scenario releases it
    RESET = "reset"
    HANG = "hang"  # not answered as long as the session lasts


class After(StrEnum):
    """What becomes of the connection after a raw answer."""

    KEEP = "keep"  # open for the next callback
    CLOSE = "close"
    RESET = "reset"
    WITHHOLD = "withhold"  # open without more, then the tail; see Session.withhold


@dataclass(frozen=True, slots=True)
class Reply:
    """How the backend answers one callback.

    Args:
        status: the HTTP status.
        reason: the reason phrase; empty for the standard one.
        body: the body, which no gateway may look at.
        sends: bodies of sends made before it answers, ``$T`` being the stream's token.
        delay: seconds to wait before the answer.
        interim: statuses of interim answers (1xx) that come before it.
        fate: whether it answers at all.
        raw: the whole answer as it is written, instead of all that status, reason, body and
            interim say; None for an ordinary one. In it, ``$PORT`` is the backend's port.
        after: what becomes of the connection after a raw answer.
        tail: what is written when a raw answer is no longer withheld.
        every: seconds between the bytes of a raw answer; 0 writes it in one piece.
        times: so many callbacks in a row get this answer.
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
        """The answers to this callback and to those that follow it, in order."""
        return (self,) * self.times + tuple(reply for next_ in self.then for reply in next_.chain())


AT_ONCE = Reply()
"""200, at once."""


def raw_bytes(raw: RawAnswer) -> bytes:
    """The bytes that a raw answer stands for."""
    pieces = (raw,) if isinstance(raw, str) else raw
    texts = (piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces)
    return "".join(texts).encode("latin-1")


def raw_data(reply: Reply) -> list[dict[str, Any]]:
    """A reply and those after it as a recording's ``callback_answer_raw``.

    Returns:
        For each answer ``bytes`` (text, or a list of texts and ``[text, n]``), and of ``delay``,
        ``after``, ``tail``, ``every``, ``times`` what is not at its default.
    """
    plain = {
        name: getattr(reply, name)
        for name in ("delay", "after", "tail", "every", "times")
        if getattr(reply, name) != getattr(AT_ONCE, name)
    }
    later = [item for follower in reply.then for item in raw_data(follower)]
    return [{"bytes": reply.raw, **plain}, *later]


def reply_from_data(data: Mapping[str, Any]) -> Reply:
    """Read the JSON form of a reply: its fields by name, those at their default left out.

    Raises:
        ValueError: a field is unknown, or its value is not of the right kind.
    """
    names = {item.name for item in fields(Reply)}
    values = {key: value for key, value in data.items() if key != "do"}
    if not values.keys() <= names:
        raise ValueError(f"a reply has no {', '.join(sorted(values.keys() - names))}")
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
    raise ValueError(f"a text or [text, count] is expected, not {item!r:.100}")
