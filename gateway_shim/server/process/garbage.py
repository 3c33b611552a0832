"""Python's garbage collector at the start and at the end of a process.

The modules of a server are some 70,000 objects, which live as long as the process. A collection
that looks at all of them takes 30 ms, and the event loop waits for it.
"""

from __future__ import annotations

import gc

__all__ = ["GarbageAtStart", "leave_garbage"]

_OBJECTS = 200_000
"""The number of new objects from which on a collection runs during the start."""


class GarbageAtStart:
    """Lets the collector run rarely while a process starts. Call :meth:`end` after the start."""

    def __init__(self) -> None:
        self._usual = gc.get_threshold()
        gc.set_threshold(_OBJECTS, *self._usual[1:])

    def end(self) -> None:
        """Exempt all present objects from collections, and let the collector run as usual."""
        gc.freeze()
        if gc.get_threshold()[0] == _OBJECTS:  # otherwise the application has set its own
            gc.set_threshold(*self._usual)


def leave_garbage() -> None:
    """Exempt all present objects from collections. Call this when the process is about to exit.

    Python looks at all objects several times at its exit, which took a third of the processor time
    of a short run. The system takes back the memory in any case.
    """
    gc.freeze()
