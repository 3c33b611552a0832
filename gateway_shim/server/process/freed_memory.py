"""Memory that a flood has left free goes back to the system.

The C library keeps what a program has freed where something behind it is still in use: the process
would stay as large as a flood has made it. A server that began with 61 MB had 89 MB after all
attacks of ``tests/faults/floods``, and 73 MB after one call of ``malloc_trim(3)``,
which took 2 ms. The rest is in arenas of Python's own, where small objects live.
"""

from __future__ import annotations

import ctypes
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["FreedMemory", "resident_bytes", "resident_memory"]

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 10.0

_GROWN = 1.05
"""The C library is asked while the process is so much larger than it has been at its smallest."""

_MAX_SHARE = 0.001
"""The part of the time that giving back may take: where it takes long, it is done less often."""


def resident_bytes(pid: int | None = None) -> int:
    """Return the resident memory of a process (VmRSS).

    Args:
        pid: of the process; None: this one.

    Raises:
        OSError: there is no ``/proc``, as in some chroots, no descriptor is free to read it with,
            or the process has ended.
    """
    for line in Path(f"/proc/{pid or 'self'}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has ended")


def resident_memory() -> int | None:
    """Return the resident memory of this process, bytes; None: it cannot be read now."""
    try:
        return resident_bytes()
    except OSError as exc:
        logger.debug("the memory of this process is not known: %s", exc)
        return None


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
        resident: Callable[[], int | None] = resident_memory,
        trim: Callable[[], None] | None = None,
    ) -> None:
        self._clock = clock
        self._resident = resident
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


def _malloc_trim() -> Callable[[], None] | None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else lambda: trim(0)
