"""Tells the processes of other servers which tasks of this process are unfinished.

If this server is then killed as a whole, they can tell the browsers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import gevent

from app.tasks.run.record import TaskRecord
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import processes_of_other_servers

__all__ = ["NOTE", "UNFINISHED", "TaskNotes"]

NOTE = "tasks_unfinished"
UNFINISHED = "tasks_unfinished_list"

IDS_AT_ONCE = 500
"""The largest number of tasks in one note: 25 KB."""

RETRY_SECONDS = 1.0
"""The pause after a note that could not be written: the log is not available."""


class TaskNotes:
    """The notes of this process about its own tasks. Without other servers, none is written.

    The start of a task does not wait for its note. The end does: it must be known before the
    terminal event is sent, so that nobody sends another one if this process is killed then.

    Args:
        peers: the other processes.
        own: returns the tasks of this process.
    """

    def __init__(self, peers: Peers, own: Callable[[], Iterable[TaskRecord]]) -> None:
        self._peers = peers
        self._own = own
        # What the next note says: task → whether it has begun; tasks that are over.
        self._open: dict[str, bool] = {}
        self._over: set[str] = set()
        self._known: set[str] = set()  # the tasks that others may take for unfinished
        self._writer: gevent.Greenlet[..., None] | None = None
        peers.when_asked(UNFINISHED, self._answer)

    def opened(self, record: TaskRecord) -> None:
        """Note that a task waits or has begun. Neither waits nor switches greenlets."""
        if processes_of_other_servers(self._peers):
            self._open[record.task_id] = record.had_slot
            self._write_soon()

    def ending(self, task_id: str, *, taken_over: bool = False) -> None:
        """Tell that a task is over, before its terminal event is sent. May switch greenlets.

        Args:
            task_id: the ID of the task.
            taken_over: True if another process of this server had the task, and has ended.
        """
        self._open.pop(task_id, None)
        is_known = task_id in self._known or (
            taken_over and processes_of_other_servers(self._peers)
        )
        if not is_known:
            return
        self._known.discard(task_id)
        if not self._peers.tell(NOTE, {"open": {}, "over": [task_id]}):
            self._over.add(task_id)
            self._write_soon()

    def close(self) -> None:
        """Write no more notes."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.kill(block=False)

    def _write_soon(self) -> None:
        if self._writer is None:
            self._writer = gevent.spawn(self._write)

    def _write(self) -> None:
        while self._open or self._over:
            opened = dict(list(self._open.items())[:IDS_AT_ONCE])
            over = list(self._over)[:IDS_AT_ONCE]
            for task_id in opened:
                del self._open[task_id]
            self._over.difference_update(over)
            self._known.update(opened)
            if not self._peers.tell(NOTE, {"open": opened, "over": over}):
                # Those that are over meanwhile were told, or wait for that.
                self._open = {id_: had for id_, had in opened.items() if id_ in self._known} | (
                    self._open
                )
                self._over.update(over)
                gevent.sleep(RETRY_SECONDS)
        self._writer = None

    def _answer(self, _: Any) -> dict[str, bool]:
        """Return the unfinished tasks of this process, and whether each has begun."""
        unfinished = {r.task_id: r.had_slot for r in self._own() if not r.is_over}
        self._known.update(unfinished)
        return unfinished
