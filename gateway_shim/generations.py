"""Which of the arbiter's workers is the newest, in memory that all of them share."""

from __future__ import annotations

import mmap
import struct

__all__ = ["Generations"]

_AGE = struct.Struct("q")


class Generations:
    """The age of the newest worker: written by the arbiter before it forks, read by the workers.

    A worker that is told to end needs to know whether it has a successor. After SIGHUP it has
    one, which shares its listening sockets; after SIGTERM it has none, or none yet.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _AGE.size)  # anonymous and shared: forks see one another

    def begin(self, age: int) -> None:
        """Note a worker that is about to be forked.

        Args:
            age: the arbiter's count of its workers.
        """
        _AGE.pack_into(self._memory, 0, age)

    def has_successor(self, age: int) -> bool:
        """Whether a worker was forked after the one of this age."""
        newest: int = _AGE.unpack_from(self._memory, 0)[0]
        return newest > age
