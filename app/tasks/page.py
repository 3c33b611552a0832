"""One page of the list of tasks."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from app.errors import BadRequest
from app.schemas.task_schema import TaskSummary
from app.tasks.run.store import TaskStore
from app.tasks.servers.listing import ListedTask, ServerTaskList

__all__ = ["MAX_PAGE", "TaskPage"]

MAX_PAGE = 100
"""The largest number of tasks in one page of a list."""


class TaskPage(NamedTuple):
    """One page of a list of tasks.

    Args:
        tasks: the tasks, newest first.
        next: the value of ``before`` for the next page; None at the end.
        is_complete: False if a server has not answered in time, so that its tasks are missing.
    """

    tasks: list[TaskSummary]
    next: str | None
    is_complete: bool = True

    @classmethod
    def read(
        cls, store: TaskStore, servers: ServerTaskList, limit: int, before: str | None
    ) -> Self:
        """Read a page. Waits for the other servers, if there are any.

        Args:
            store: the tasks of this server.
            servers: the tasks of the other servers.
            limit: the largest number of tasks in the page, 1 to :data:`MAX_PAGE`. If two servers
                have started a task in the same microsecond, the page may have one more.
            before: the ``next`` of the page before; None for the newest tasks.

        Raises:
            BadRequest: ``limit`` or ``before`` is invalid.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest(f"limit is {limit}; it must be from 1 to {MAX_PAGE}")
        if before is not None and re.fullmatch(r"[0-9]{1,19}", before, re.ASCII) is None:
            raise BadRequest('before must be the "next" of an earlier answer, or be left out')
        place = None if before is None else int(before)
        # One task more than a page holds is read. If it exists, there is a next page.
        others = servers.newest(limit + 1, place)
        own = [ListedTask(r.number, r.summary()) for r in store.newest(limit + 1, place)]
        found = sorted(own + others.tasks, key=_order, reverse=True)
        size = min(limit, len(found))
        # Numbers are unique on one server only. A page never ends between two that are the same.
        while size < len(found) and found[size].number == found[size - 1].number:
            size += 1
        next_page = str(found[size - 1].number) if len(found) > size else None
        return cls([task.summary for task in found[:size]], next_page, others.is_complete)


def _order(task: ListedTask) -> tuple[int, str]:
    return task.number, task.summary.task_id
