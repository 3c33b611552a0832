"""The newest tasks of all other servers: each answers with its part of a page."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, NamedTuple

import gevent
from pydantic import TypeAdapter, ValidationError

from app.schemas.task_schema import TaskSummary
from app.tasks.run.store import TaskStore
from gateway_shim.streams.peers.peers import Peers
from gateway_shim.streams.peers.servers import processes_of_other_servers

__all__ = ["ANSWER_SECONDS", "ListedTask", "ServerTaskList", "TasksOfServers"]

logger = logging.getLogger(__name__)

LIST = "task_list"

ANSWER_SECONDS = 1.0
"""The longest wait for one process of each server. If it does not answer, the others of that server
are asked, so a list takes at most twice this time."""

LIST_SECONDS = 2.5
"""The longest wait for a list. It only ends a wait for a log that takes no questions."""


class ListedTask(NamedTuple):
    """A task in a list.

    Args:
        number: the place of the task in the order of all starts.
        summary: the task.
    """

    number: int
    summary: TaskSummary


class TasksOfServers(NamedTuple):
    """The newest tasks of other servers.

    Args:
        tasks: the tasks of all of them, in no order.
        is_complete: False if a server that runs has not answered, so that its tasks are missing.
    """

    tasks: list[ListedTask]
    is_complete: bool


_PART = TypeAdapter(list[ListedTask])


class ServerTaskList:
    """Asks the other servers for their newest tasks, and answers for this server.

    Args:
        peers: the other processes.
        store: the tasks of this server.
    """

    def __init__(self, peers: Peers, store: TaskStore) -> None:
        self._peers = peers
        self._store = store
        # The servers whose last question still waits, because the log takes no questions. They are
        # not asked meanwhile, so that such questions do not pile up.
        self._late: set[str] = set()
        peers.when_asked(LIST, self._answer)

    def newest(self, count: int, before: int | None) -> TasksOfServers:
        """Return the newest tasks of each other server. Waits for the answers.

        Args:
            count: the largest number of tasks of one server.
            before: return only tasks with a lower number than this.
        """
        servers = processes_of_other_servers(self._peers)
        if not servers:
            return TasksOfServers([], True)
        question = {"count": count, "before": before}
        asked = {
            server: gevent.spawn(self._ask_server, processes, question)
            for server, processes in servers.items()
            if server not in self._late
        }
        gevent.joinall(list(asked.values()), timeout=LIST_SECONDS)
        parts: dict[str, list[ListedTask]] = {}
        for server, greenlet in asked.items():
            if not greenlet.ready():
                self._late.add(server)
                greenlet.link(partial(self._ended, server))
            elif (part := greenlet.get()) is not None:
                parts[server] = part
        # A server that has ended meanwhile has no tasks any more.
        missing = processes_of_other_servers(self._peers).keys() - parts.keys()
        tasks = [task for part in parts.values() for task in part]
        return TasksOfServers(tasks, not missing.intersection(servers))

    def _ended(self, server: str, _: object) -> None:
        self._late.discard(server)

    def _ask_server(self, processes: list[str], question: Any) -> list[ListedTask] | None:
        """Return the part of one server; None if it gives no answer."""
        first, *rest = processes
        if (part := self._ask_process(first, question)) is not None:
            return part
        asked = [gevent.spawn(self._ask_process, process, question) for process in rest]
        gevent.joinall(asked)
        return next((part for greenlet in asked if (part := greenlet.get()) is not None), None)

    def _ask_process(self, process: str, question: Any) -> list[ListedTask] | None:
        for answer in self._peers.ask(LIST, question, to=process, seconds=ANSWER_SECONDS):
            try:
                return _PART.validate_python(answer.data)
            except ValidationError:  # of another version of this program, in a rolling restart
                logger.warning("the list of another server's tasks cannot be read")
        return None

    def _answer(self, question: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        records = self._store.newest(question["count"], question["before"])
        return [(record.number, record.summary().model_dump(mode="json")) for record in records]
