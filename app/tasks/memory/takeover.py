"""The takeover: a process looks after the tasks of other processes that have ended.

An ended process was killed, has crashed, or has stopped while its tasks did not. A task that was
running or waiting is failed, with the reason as its error. A task that was over is remembered for
the rest of its time. The terminal event is sent if the ended process has not sent it.

It does not matter which process looks first: the tasks change hands in one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import gevent
from gevent.event import Event as Signal

from app.state.server_memory import ServerMemory
from app.tasks.memory.numbers import TaskNumbers
from app.tasks.memory.table import TaskTable
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import TaskStore
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["LOOK_SECONDS", "TaskTakeover"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""The time between two looks for processes that have ended. A look takes about 0.1 ms."""


class TaskTakeover:
    """Takes over the tasks of ended processes, from the time at which the memory is open.

    Args:
        memory: the memory of the server.
        table: the table in it.
        store: gets the tasks.
        numbers: go on after the largest number in the table.
        tell: sends the terminal event of a task.
        told_by_others: returns which of some tasks another server has told, because it took this
            server for gone.
    """

    def __init__(
        self,
        memory: ServerMemory,
        table: TaskTable,
        store: TaskStore,
        numbers: TaskNumbers,
        tell: Callable[[TaskRecord], None],
        told_by_others: Callable[[Iterable[str]], set[str]] = lambda _: set(),
    ) -> None:
        self._memory = memory
        self._table = table
        self._store = store
        self._numbers = numbers
        self._tell = tell
        self._told_by_others = told_by_others
        self._stopped = Signal()
        memory.when_open(self._start)

    def look(self) -> None:
        """Take over what ended processes have left, and send the events that are missing."""
        self._memory.look()
        self._tell_all(self._take_all())

    def stop(self) -> None:
        """Stop looking, after the event that is being sent."""
        self._stopped.set()

    def _start(self) -> None:
        self._numbers.go_on_after(self._table.last_number(), self._table.claim_place())
        # Taken before the first request is served, so that no list of tasks is incomplete.
        untold = self._take_all()
        gevent.spawn(self._watch, untold)

    def _watch(self, untold: list[TaskRecord]) -> None:
        self._tell_all(untold)
        while not self._stopped.wait(LOOK_SECONDS) and self._memory.is_open:
            try:
                self.look()
            except Exception:
                logger.exception("looking for the tasks of ended processes failed")

    def _take_all(self) -> list[TaskRecord]:
        """Remember the tasks of ended processes, and return those whose end nobody was told."""
        untold: list[TaskRecord] = []
        for process in self._table.ended_processes():
            while taken := self._table.take_over(process):
                self._store.adopt([task.record for task in taken])
                untold += [task.record for task in taken if not task.is_told]
                let_others_run_if_due()
        return untold

    def _tell_all(self, untold: list[TaskRecord]) -> None:
        """Send the events that are missing. What fails is logged, and the rest goes on."""
        told: set[str] = set()
        try:
            told = self._told_by_others([record.task_id for record in untold])
        except Exception:  # an event that comes twice is better than none
            logger.exception("the other servers could not be asked which ends they have told")
        for record in untold:
            record.was_told = record.task_id in told
            try:
                self._tell(record)
            except Exception:
                logger.exception(
                    "the end of a task of an ended process could not be told",
                    extra={"task_id": record.task_id},
                )
            let_others_run_if_due()
