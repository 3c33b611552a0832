"""Memory that a flood has left free goes back to the system.

The C library keeps what a program has freed where something behind it is still in use: the process
would stay as large as a flood has made it. A server that began with 61 MB had 89 MB after all
attacks of ``tests/faults/test_all_attacks.py``, and 73 MB after one call of ``malloc_trim(3)``,
which took 2 ms. The rest is in arenas of Python's own, where small objects live.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["FreedMemory", "resident_memory"]

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 10.0

_GROWN = 1.05
"""The C library is asked while the process is so much larger than it has been at its smallest."""

_MAX_SHARE = 0.001
"""The part of the time that giving back may take: where it takes long, it is done less often."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class FreedMemory:
    """Gives freed memory back from time to time, while the process is larger than it need be.

    Does nothing where the C library has no ``malloc_trim`` (musl), or where there is no ``/proc``.

    Args:
        clock: monotonic seconds.
        resident: returns the resident memory of this process, bytes; None: it is not known now.
        trim: gives back what is free.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        resident: Callable[[], int | None] | None = None,
        trim: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._resident = resident or resident_memory
        self._trim = trim or _malloc_trim()
        self._least = math.inf
        self._note_size()
        self._due = clock() + _EVERY_SECONDS

    def give_back_if_due(self) -> None:
        """Give freed memory back, unless that was done just now or the process is small anyway."""
        began = self._clock()
        if self._trim is None or began < self._due:
            return
        pause = _EVERY_SECONDS
        if self._note_size() > _GROWN * self._least:
            self._trim()
            pause = max(pause, (self._clock() - began) / _MAX_SHARE)
        self._due = began + pause

    def _note_size(self) -> int:
        """Return how large the process is, bytes; 0 where that is not known."""
        size = self._resident()
        if size is None:
            return 0
        self._least = min(self._least, size)
        return size


def resident_memory() -> int | None:
    """Return the resident memory of this process, bytes.

    None: there is no ``/proc``, as in some chroots, or no descriptor is free to read it with.
    """
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError as exc:
        logger.debug("the memory of this process is not known: %s", exc)
        return None
    return int(pages) * _PAGE_BYTES


def _malloc_trim() -> Callable[[], None] | None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else lambda: trim(0)
