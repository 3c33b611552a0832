"""A cursor: the name of one entry of one log, which browsers send back as ``Last-Event-ID``. Pure.

Source: WHATWG HTML, "Server-sent events", for the field ``id`` and the header.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["MAX_CURSOR_CHARACTERS", "Cursor"]

MAX_CURSOR_CHARACTERS = 40
"""The length of the longest cursor; a longer text is not a cursor of any log of ours."""

_CURSOR = re.compile(r"([a-z0-9]{1,16})-(0|[1-9][0-9]{0,18})", re.ASCII)


class Cursor(NamedTuple):
    """An entry of a log.

    Args:
        epoch: the log's name, one to sixteen of ``a-z0-9``. It changes where the log could not be
            continued.
        position: the entry's number in the epoch, from 0.
    """

    epoch: str
    position: int

    def __str__(self) -> str:
        """Return the text that events carry in their field ``id``."""
        return f"{self.epoch}-{self.position}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        """Read the text of a cursor; None if it is not one."""
        if len(text) > MAX_CURSOR_CHARACTERS:
            return None
        match = _CURSOR.fullmatch(text)
        return None if match is None else cls(match[1], int(match[2]))
