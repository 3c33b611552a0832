"""The memory that the arbiter and all workers share: who serves, who ends, who has how much.

The arbiter makes the table before it forks. It writes a row before it forks a worker, and clears
the row when it has seen the worker's end. A worker writes only its own row, except two marks that
never go back: that a worker has served, and that a generation was complete.

Every value is an aligned integer of eight bytes, which a processor writes in one step. So nothing
is locked, and a worker that is killed or stopped at any instruction leaves nothing behind that
others would wait for.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from enum import IntEnum
from time import monotonic_ns
from typing import NamedTuple

__all__ = ["Rival", "Seat", "Stage", "WorkerTable"]

_IS_STOPPING, _HAS_SERVED, _COMPLETE = range(3)
"""The values at the beginning of the memory."""

_HEAD = 8  # values
_AGE, _NUMBER, _GENERATION, _STAGE, _ALIVE, _LOOKED, _STREAMS, _CONNECTIONS = range(8)
_ROW = 8  # values: a row is one line of a processor's cache

_FRESH_NS = 3 * 10**9
"""A worker that serves reports each second. Without a report for this time it is stuck, or dead."""


class Stage(IntEnum):
    """The stages of a worker's life."""

    STARTING = 0
    SERVING = 1
    """It accepts connections."""
    DRAINING = 2


_SERVING = int(Stage.SERVING)


class Rival(NamedTuple):
    """Another worker that accepts from the same sockets.

    Args:
        look: its age, and the time at which it last looked for a connection.
        load: its streams and other connections.
    """

    look: tuple[int, int]
    load: int


class WorkerTable:
    """The workers of one arbiter: at most two for each number, the old and the new of a reload.

    An *age* is the arbiter's count of all its workers. A *number* from 1 on says which worker of
    its generation a worker is; one that replaces another has its number. A *generation* is the
    count of reloads, from 1 on.

    Args:
        workers: the number of workers that serve at the same time.

    Attributes:
        workers: the argument of the same name.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        size = _HEAD + 2 * workers * _ROW
        self._memory = mmap.mmap(-1, 8 * size)  # anonymous and shared: all workers see it
        self._values = memoryview(self._memory).cast("q")
        self._rows = range(_HEAD, size, _ROW)

    # ------------------------------------------------------------------ the arbiter

    def begin(self, age: int, number: int, generation: int) -> Seat:
        """Write the row of a worker that is about to be forked.

        Raises:
            RuntimeError: there are more workers than rows, which the arbiter prevents.
        """
        for row in self._rows:
            if not self._values[row]:
                self._values[row + 1 : row + _ROW] = memoryview(bytes(8 * (_ROW - 1))).cast("q")
                self._values[row + _NUMBER] = number
                self._values[row + _GENERATION] = generation
                self._values[row] = age  # last: a row with an age is complete
                return Seat(self, self._values, row)
        raise RuntimeError(f"more than {2 * self.workers} workers")

    def end(self, age: int) -> None:
        """Clear the row of a worker that has ended."""
        for row in self._rows:
            if self._values[row] == age:
                self._values[row] = 0

    def stop(self) -> None:
        """Note that the whole server stops. Call it before the workers are told."""
        self._values[_IS_STOPPING] = 1

    @property
    def has_served(self) -> bool:
        """True if any worker has served, since the start of the server."""
        return bool(self._values[_HAS_SERVED])

    @property
    def complete(self) -> int:
        """The newest generation of which all workers have served at the same time; 0: none."""
        return self._values[_COMPLETE]

    @property
    def is_stopping(self) -> bool:
        """True if the whole server stops."""
        return bool(self._values[_IS_STOPPING])

    # ------------------------------------------------------------------ all workers

    @property
    def streams(self) -> int:
        """The number of streams that all workers have that have not ended."""
        values = self._values.tolist()
        return sum(values[row + _STREAMS] for row in self._rows if values[row])

    def accepting(self, but: int) -> list[Rival]:
        """Return the workers that accept, without the one whose row is at a place."""
        # Called before each accept, so the whole memory is read at once.
        values, limit = self._values.tolist(), monotonic_ns() - _FRESH_NS
        return [
            Rival(
                (values[row], values[row + _LOOKED]),
                values[row + _STREAMS] + values[row + _CONNECTIONS],
            )
            for row in self._rows
            if values[row + _STAGE] == _SERVING
            and values[row + _ALIVE] > limit
            and values[row]
            and row != but
        ]

    def others(self, seat: Seat) -> Iterator[Seat]:
        """Yield the seats of all workers that have not ended, but one."""
        for row in self._rows:
            if row != seat.row and self._values[row]:
                yield Seat(self, self._values, row)


class Seat:
    """One worker's row of the table.

    Args:
        table: the table.
        values: the memory of the table.
        row: the place of the row's first value.

    Attributes:
        row: the argument of the same name.
    """

    __slots__ = ("_table", "_values", "row")

    def __init__(self, table: WorkerTable, values: memoryview, row: int) -> None:
        self._table = table
        self._values = values
        self.row = row

    # ------------------------------------------------------------------ what anyone may read

    @property
    def age(self) -> int:
        """The arbiter's count of its workers; 0 once the worker has ended."""
        return self._values[self.row]

    @property
    def number(self) -> int:
        """The number of the worker among the workers of its generation."""
        return self._values[self.row + _NUMBER]

    @property
    def generation(self) -> int:
        """The worker's generation, from 1 on."""
        return self._values[self.row + _GENERATION]

    @property
    def stage(self) -> int:
        """The worker's :class:`Stage`."""
        return self._values[self.row + _STAGE]

    @property
    def has_served(self) -> bool:
        """True if the worker serves or has served."""
        return self.stage != Stage.STARTING

    @property
    def accepts(self) -> bool:
        """True if the worker accepts connections, by its own report of the last seconds."""
        if self.stage != Stage.SERVING:
            return False
        return monotonic_ns() - self._values[self.row + _ALIVE] < _FRESH_NS

    @property
    def load(self) -> int:
        """The worker's streams and other connections."""
        return self.streams + self._values[self.row + _CONNECTIONS]

    @property
    def streams(self) -> int:
        """The worker's streams that are connecting or open."""
        return self._values[self.row + _STREAMS]

    # ------------------------------------------------------------------ what the others do

    @property
    def is_alone(self) -> bool:
        """True if the server has one worker."""
        return self._table.workers == 1

    def others(self) -> Iterator[Seat]:
        """Yield the seats of the other workers that have not ended."""
        return self._table.others(self)

    @property
    def has_successor(self) -> bool:
        """True if a worker with the same number was forked after this one."""
        number, age = self.number, self.age
        return any(other.number == number and other.age > age for other in self.others())

    @property
    def others_accept(self) -> bool:
        """True if another worker accepts in place of this one, or will once it has started.

        False while the whole server stops: the others then end, too. Two workers that are told to
        end at the same time have both left the stage SERVING before they ask, so one of them or
        both see that nobody else accepts.
        """
        if self._table.is_stopping:
            return False
        return self.has_successor or any(other.accepts for other in self.others())

    @property
    def completes_generation(self) -> bool:
        """True if all workers of this worker's generation have served and not ended."""
        generation = self.generation
        served = {self.number} | {
            other.number
            for other in self.others()
            if other.generation == generation and other.has_served
        }
        return len(served) == self._table.workers

    @property
    def streams_of_others(self) -> int:
        """The number of streams that all other workers have, old workers of a reload included."""
        return self._table.streams - self.streams

    def accepting(self) -> list[Rival]:
        """Return the other workers that accept, by their reports of the last seconds."""
        return self._table.accepting(self.row)

    # ------------------------------------------------------------------ what the worker writes

    def serve(self) -> bool:
        """Note that the worker serves.

        Returns:
            True if all workers of its generation serve now. Of workers that call this at the same
            time, at least the last one gets True.
        """
        self.report()
        self._values[self.row + _STAGE] = Stage.SERVING
        self._values[_HAS_SERVED] = 1
        if not self.completes_generation:
            return False
        self._values[_COMPLETE] = max(self.generation, self._values[_COMPLETE])
        return True

    def drain(self) -> None:
        """Note that the worker ends. Call it before :attr:`others_accept` is read."""
        self._values[self.row + _STAGE] = Stage.DRAINING

    def report(self) -> None:
        """Note that the worker's event loop runs. Call it about once a second."""
        self._values[self.row + _ALIVE] = monotonic_ns()

    def look(self) -> None:
        """Note that the worker looks for a new connection now."""
        self._values[self.row + _LOOKED] = monotonic_ns()

    def count_streams(self, streams: int) -> None:
        """Note how many streams are connecting or open."""
        self._values[self.row + _STREAMS] = streams

    def count_connections(self, connections: int) -> None:
        """Note how many connections are not streams."""
        self._values[self.row + _CONNECTIONS] = connections
