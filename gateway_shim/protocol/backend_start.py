"""The start of the backend that has answered a callback. Pure.

A backend knows only the streams that it has accepted itself. Its answers to callbacks carry the
header ``SSE-Backend-Boot: <start>-<uuid>``, so that a gateway notices a backend that has started
anew. A Node gateway ignores the header.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

__all__ = ["BOOT_HEADER", "Boot", "parse_boot"]

BOOT_HEADER = "SSE-Backend-Boot"

_BOOT = re.compile(r"([0-9]{1,16})-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of a backend.

    Args:
        start: when the serving process started, milliseconds since the epoch.
        id: a UUID, because two processes may start in the same millisecond.
    """

    start: int
    id: str

    def __str__(self) -> str:
        """Return the header's value."""
        return f"{self.start}-{self.id}"


@functools.lru_cache(maxsize=8)
def parse_boot(text: str) -> Boot | None:
    """Read the header's value; None if it is malformed.

    The same text gives the same object: every stream of a gateway refers to one.
    """
    found = _BOOT.fullmatch(text)
    return None if found is None else Boot(int(found[1]), found[2])
