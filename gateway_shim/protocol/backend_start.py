"""The header that identifies one start of a backend. Pure.

A backend knows only the streams that it has accepted since it started. Its answers to callbacks
have the header ``SSE-Backend-Boot: <start>-<uuid>``. From this header a gateway learns that the
backend has been restarted. A Node gateway ignores the header.
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
        start: the time at which the serving process started, milliseconds since the epoch.
        id: a UUID, because two processes can start in the same millisecond.
    """

    start: int
    id: str

    def __str__(self) -> str:
        """Return the value of the header."""
        return f"{self.start}-{self.id}"


@functools.lru_cache(maxsize=8)
def parse_boot(text: str) -> Boot | None:
    """Parse the value of the header; return None if the value is malformed.

    The same text returns the same object, so that all streams of a gateway share one object.
    """
    found = _BOOT.fullmatch(text)
    return None if found is None else Boot(int(found[1]), found[2])
