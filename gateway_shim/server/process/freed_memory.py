"""The return of freed memory to the system, for instance after a flood of requests.

The C library keeps memory that a program has freed if a block behind it is still in use, so the
process would stay as large as a flood has made it. A server that began with 61 MB had 89 MB after
all attacks of ``tests/faults/floods``, and 73 MB after one call of ``malloc_trim(3)``, which took
2 ms. The rest is in the arenas in which Python itself keeps small objects.
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

_PAUSE_SECONDS = 10.0

_GROWTH = 1.05
"""Memory is returned while the process is larger than its smallest size by this factor."""

_MAX_SHARE = 0.001
"""The share of time that returning memory may take; slow calls are made less often."""


def resident_bytes(pid: int | None = None) -> int:
    """Return the resident memory of a process (VmRSS).

    Args:
        pid: the process; None for this process.

    Raises:
        OSError: there is no ``/proc``, as in some chroots; or no descriptor is free to read it; or
            the process has ended.
    """
    for line in Path(f"/proc/{pid or 'self'}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(f"process {pid} has ended")


def resident_memory() -> int | None:
    """Return the resident memory of this process, bytes; None if it cannot be read now."""
    try:
        return resident_bytes()
    except OSError as exc:
        logger.debug("cannot read the memory of this process: %s", exc)
        return None


class FreedMemory:
    """The regular return of freed memory, while the process is larger than it was.

    Does nothing if the C library has no ``malloc_trim`` (musl), or if there is no ``/proc``.

    Args:
        clock: monotonic seconds.
        resident: returns the resident memory of this process, bytes; None if it is unknown now.
        trim: returns the freed memory to the system; None for ``malloc_trim``.
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
        # The smallest size that was noted, bytes.
        self._smallest = math.inf
        self._note_size()
        # The time of the next return, by the clock.
        self._due = clock() + _PAUSE_SECONDS

    def give_back_if_due(self) -> None:
        """Return freed memory, unless it was returned just now or the process is small."""
        began = self._clock()
        if self._trim is None or began < self._due:
            return
        pause = _PAUSE_SECONDS
        if self._note_size() > _GROWTH * self._smallest:
            self._trim()
            pause = max(pause, (self._clock() - began) / _MAX_SHARE)
        self._due = began + pause

    def _note_size(self) -> int:
        """Note and return the size of the process, bytes; 0 if the size is unknown."""
        size = self._resident()
        if size is None:
            return 0
        self._smallest = min(self._smallest, size)
        return size


def _malloc_trim() -> Callable[[], None] | None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return None if trim is None else lambda: trim(0)
