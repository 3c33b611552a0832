"""Servers that are gone: their unfinished tasks have failed, and browsers are told once.

A server is gone when none of its processes has run for a while. One that restarts in this time with
its memory takes over its own tasks (:mod:`app.tasks.memory.takeover`).

Each process of each other server sees that. The one whose server's name comes first claims the
tasks with a note; the next ones do so some seconds later, if nobody has. All processes read the
claims in one order, that of the log. So the first claim of a task counts, for all of them, and its
writer sends the event.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import gevent
from gevent.event import Event as Signal

from app.tasks.servers.notes import NOTE, UNFINISHED
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import (
    is_on_this_server,
    processes_of_other_servers,
    server_of,
)

__all__ = ["GONE_SECONDS", "LostServers"]

logger = logging.getLogger(__name__)

CLAIM = "tasks_lost"
TOLD = "tasks_told"

LOOK_SECONDS = 1.0
"""The time between two looks for servers that are gone. A look takes microseconds."""

GONE_SECONDS = 10.0
"""The time for which no process of a server runs before its tasks have failed. The log takes up to
ten seconds to notice that a process does not run any more."""

NEXT_SECONDS = 3.0
"""The time after which the next process claims the tasks, if nobody has."""

MAX_TASKS = 10_000
"""The number of unfinished tasks of other servers that are remembered, and the number of tasks that
were told: 1.5 MB each. Beyond that, the oldest is forgotten, and nobody tells its end."""

IDS_AT_ONCE = 500
"""The largest number of tasks in one claim: 20 KB."""


class _Unfinished(NamedTuple):
    """An unfinished task of another server."""

    process: str
    had_begun: bool


class LostServers:
    """The unfinished tasks of other servers, and what becomes of them if their server is gone.

    Args:
        peers: the other processes.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        peers: Peers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._tell: Callable[[str, bool], None] = lambda *_: None
        self._end: Callable[[str], None] = lambda _: None
        self._clock = clock
        self._tasks: OrderedDict[str, _Unfinished] = OrderedDict()
        self._told: OrderedDict[str, None] = OrderedDict()
        self._loaded: set[str] = set()  # the processes whose tasks this one has asked for
        # The tasks that have ended while a process is asked for its tasks; None: none is asked.
        self._over_meanwhile: set[str] | None = None
        self._gone_since: dict[str, float] = {}  # servers
        self._stopped = Signal()
        self._watcher: gevent.Greenlet[..., None] | None = None
        peers.when_told(NOTE, self._noted)
        peers.when_told(CLAIM, self._claimed, own=True)
        peers.when_asked(TOLD, self._answer_told)
        peers.when_joined(self._joined)

    def act_with(self, tell: Callable[[str, bool], None], end: Callable[[str], None]) -> None:
        """Set what is done with the tasks of servers that are gone.

        Args:
            tell: sends the terminal event of such a task: gets its ID, and whether it had begun.
            end: ends a task of this process quietly: others have told that it has failed, because
                they took this server for gone.
        """
        self._tell, self._end = tell, end

    def told_by_others(self, task_ids: Iterable[str]) -> set[str]:
        """Return those of some tasks of this server that another server has told. Waits.

        Args:
            task_ids: the tasks that ended with an earlier process of this server.
        """
        ids = list(task_ids)
        if not ids or not processes_of_other_servers(self._peers):
            return set()
        told: set[str] = set()
        for start in range(0, len(ids), IDS_AT_ONCE):
            asked = ids[start : start + IDS_AT_ONCE]
            for answer in self._peers.ask(TOLD, asked):
                if isinstance(answer.data, list):
                    told.update(id_ for id_ in asked if id_ in answer.data)
                else:  # of another version of this program, in a rolling restart
                    logger.warning("the answer of another server about its tasks cannot be read")
        return told

    def stop(self) -> None:
        """Stop looking."""
        self._stopped.set()

    def look(self) -> None:
        """Ask new processes for their tasks, and claim those of servers that are gone. Waits."""
        if not self._peers.process:
            return  # this process has left the log, and knows nobody
        servers = processes_of_other_servers(self._peers)
        running = {process for processes in servers.values() for process in processes}
        self._loaded &= running
        for process in sorted(running - self._loaded):
            self._load(process)
        now = self._clock()
        missing = {server_of(task.process) for task in self._tasks.values()} - servers.keys()
        self._gone_since = {server: self._gone_since.get(server, now) for server in missing}
        wait = GONE_SECONDS + NEXT_SECONDS * self._rank()
        for server, since in self._gone_since.items():
            if now - since >= wait:
                self._claim(server)

    # ---------------------------------------------------------------- private

    def _joined(self) -> None:
        """Learn the unfinished tasks of all others, because notes may have been missed."""
        self._loaded.clear()
        if self._watcher is None and server_of(self._peers.process):
            self._watcher = gevent.spawn(self._watch)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception:
                logger.exception("looking for servers that are gone failed")
            self._stopped.wait(LOOK_SECONDS)

    def _rank(self) -> int:
        """Return how many processes are before this one in the order of claims."""
        own = self._peers.process
        return sum(_order(other) < _order(own) for other in self._peers.others())

    def _load(self, process: str) -> None:
        before = [id_ for id_, task in self._tasks.items() if task.process == process]
        over: set[str] = set()
        self._over_meanwhile = over
        try:
            answers = self._peers.ask(UNFINISHED, to=process)
        finally:
            self._over_meanwhile = None
        for answer in answers:
            for task_id in before:  # the note of its end was missed
                if task_id not in answer.data:
                    self._tasks.pop(task_id, None)
            for task_id, had_begun in answer.data.items():
                if task_id not in over:
                    self._add(task_id, _Unfinished(process, had_begun))
            self._loaded.add(process)

    def _noted(self, sender: str, note: dict[str, Any]) -> None:
        for task_id in note["over"]:
            # Also by another process of its server, which has taken it over.
            self._tasks.pop(task_id, None)
            if self._over_meanwhile is not None:
                self._over_meanwhile.add(task_id)
        if not is_on_this_server(self._peers, sender):
            for task_id, had_begun in note["open"].items():
                self._add(task_id, _Unfinished(sender, had_begun))

    def _add(self, task_id: str, task: _Unfinished) -> None:
        if task_id in self._told:  # its server was cut off, and has not read this yet
            return
        self._tasks[task_id] = task
        if len(self._tasks) > MAX_TASKS:
            self._tasks.popitem(last=False)

    def _claim(self, server: str) -> None:
        ids = [id_ for id_, task in self._tasks.items() if server_of(task.process) == server]
        logger.warning(
            "a server is gone, and its unfinished tasks have failed",
            extra={"server": server, "tasks": len(ids)},
        )
        for start in range(0, len(ids), IDS_AT_ONCE):
            note = {"server": server, "tasks": ids[start : start + IDS_AT_ONCE]}
            # The server may only be cut off. It must read this when it is back.
            if not self._peers.tell(CLAIM, note, always=True):
                return  # the next look tries again
            let_others_run_if_due()

    def _claimed(self, sender: str, claim: dict[str, Any]) -> None:
        own = sender == self._peers.process
        tasks = {task_id: self._tasks.pop(task_id, None) for task_id in claim["tasks"]}
        for task_id in tasks:
            self._told[task_id] = None
            if len(self._told) > MAX_TASKS:
                self._told.popitem(last=False)
        if own:
            gevent.spawn(self._tell_all, {id_: task for id_, task in tasks.items() if task})
        elif claim["server"] == server_of(self._peers.process):
            for task_id in tasks:
                self._end(task_id)

    def _tell_all(self, tasks: dict[str, _Unfinished]) -> None:
        for task_id, task in tasks.items():
            self._tell(task_id, task.had_begun)
            let_others_run_if_due()

    def _answer_told(self, task_ids: list[str]) -> list[str]:
        return [task_id for task_id in task_ids if task_id in self._told]


def _order(process: str) -> tuple[str, str]:
    return server_of(process), process
