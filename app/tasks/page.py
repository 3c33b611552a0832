"""One page of the list of tasks."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from app.errors import BadRequest
from app.schemas.task_schema import TaskSummary
from app.tasks.run.store import TaskStore

__all__ = ["MAX_PAGE", "TaskPage"]

MAX_PAGE = 100
"""The largest number of tasks in one page of a list."""


class TaskPage(NamedTuple):
    """One page of a list of tasks.

    Args:
        tasks: the tasks, newest first.
        next: the value of ``before`` for the next page; None at the end.
    """

    tasks: list[TaskSummary]
    next: str | None

    @classmethod
    def read(cls, store: TaskStore, limit: int, before: str | None) -> Self:
        """Read a page from the store.

        Args:
            store: the store of all tasks.
            limit: the largest number of tasks in the page, 1 to :data:`MAX_PAGE`.
            before: the ``next`` of the page before; None for the newest tasks.

        Raises:
            BadRequest: ``limit`` or ``before`` is invalid.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise BadRequest(f"limit is {limit}; it must be from 1 to {MAX_PAGE}")
        if before is not None and re.fullmatch(r"[0-9]{1,19}", before, re.ASCII) is None:
            raise BadRequest('before must be the "next" of an earlier answer, or be left out')
        # One task more than a page holds is read. If it exists, there is a next page.
        records = store.newest(limit + 1, None if before is None else int(before))
        page = records[:limit]
        next_page = str(page[-1].number) if len(records) > limit else None
        return cls([record.summary() for record in page], next_page)
