"""A note: an entry of the log by which one process tells others something, as bytes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Note", "Role"]

_FORM = 1
"""The number of this form of notes. A process ignores notes of another form."""


class Role(StrEnum):
    """The role of a note."""

    TOLD = "t"
    """A note that needs no answer."""
    TOLD_TOGETHER = "m"
    """Many notes in one, which need no answer: the data are pairs of their kinds and data."""
    QUESTION = "q"
    """A question."""
    ANSWER = "a"
    """The answer to a question."""


class Note(NamedTuple):
    """An entry of the log that is for processes and not for streams.

    Args:
        sender: the name of the process that has written it (``Log.process``).
        role: whether it is a question or an answer.
        kind: what it is about; the handlers are registered by kind.
        data: JSON data.
        to: the name of the process that it is for; None: all others.
        question: the name of a question, which the answer repeats; empty for a note that is told.
    """

    sender: str
    role: str
    kind: str
    data: Any
    to: str | None = None
    question: str = ""

    def encode(self) -> bytes:
        """Return the note as bytes.

        Raises:
            TypeError, ValueError, RecursionError: the data is not JSON data.
        """
        return json.dumps((_FORM, *self), separators=(",", ":")).encode()

    def parts(self) -> Iterable[Note]:
        """Return the notes that this one consists of: one, or many that are told together."""
        if self.role != Role.TOLD_TOGETHER:
            return (self,)
        return [Note(self.sender, Role.TOLD, kind, data) for kind, data in self.data]

    @staticmethod
    def begins(sender: str) -> bytes:
        """Return the first bytes of all notes of a sender."""
        return json.dumps((_FORM, sender), separators=(",", ":")).encode()[:-1] + b","

    @classmethod
    def decode(cls, data: bytes) -> Note | None:
        """Return the note of some bytes; None if they are not one of this form."""
        try:
            match json.loads(data):
                case [
                    int(form),
                    str(sender),
                    str(role),
                    str(kind),
                    content,
                    str() | None as to,
                    str(question),
                ] if form == _FORM and role in _ROLES and _fits(role, content):
                    return cls(sender, role, kind, content, to, question)
        except (ValueError, RecursionError):
            pass
        return None


_ROLES = frozenset(Role)


def _fits(role: str, content: Any) -> bool:
    """Return whether the data is as the role says."""
    if role != Role.TOLD_TOGETHER:
        return True
    return isinstance(content, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in content
    )
