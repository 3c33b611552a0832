"""The newest worker and the newest worker that has served, in memory that all workers share."""

from __future__ import annotations

import mmap
import struct

__all__ = ["Generations"]

_AGE = struct.Struct("q")

_NEWEST, _SERVED = 0, _AGE.size  # offsets in the memory, bytes


class Generations:
    """The ages of the newest worker and of the newest worker that has served.

    An age is the arbiter's count of its workers. The arbiter writes the first age before it forks;
    a worker writes the second.

    A worker that must end needs to know whether it has a successor. After SIGHUP it has a
    successor, which shares its listening sockets. After SIGTERM it has no successor, or none yet.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2 * _AGE.size)  # anonymous and shared: all workers see it

    def begin(self, age: int) -> None:
        """Note a worker that is about to be forked.

        Args:
            age: the arbiter's count of its workers.
        """
        _AGE.pack_into(self._memory, _NEWEST, age)

    def has_successor(self, age: int) -> bool:
        """Return whether a worker was forked after the one of this age."""
        newest: int = _AGE.unpack_from(self._memory, _NEWEST)[0]
        return newest > age

    def note_served(self, age: int) -> None:
        """Note that the worker of this age has served."""
        _AGE.pack_into(self._memory, _SERVED, max(age, self._newest_served()))

    def has_served(self, age: int) -> bool:
        """Return whether the worker of this age, or a later one, has served."""
        return self._newest_served() >= age

    def _newest_served(self) -> int:
        served: int = _AGE.unpack_from(self._memory, _SERVED)[0]
        return served
