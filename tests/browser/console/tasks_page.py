"""The page Tasks as tests use it."""

from __future__ import annotations

import json
from typing import Self

from tests.browser.tabs import Context, Tab
from tests.support.http.client import request
from tests.support.processes.server import Server
from tests.support.timing import wait_until

__all__ = ["TasksPage", "all_are_over", "forget_all"]


def all_are_over(server: Server) -> bool:
    """Return whether no task of a server waits or runs."""
    place: str | None = ""
    while place is not None:
        page = json.loads(request(server.port, "GET", f"/api/tasks{place}").body)
        if any(task["finished_at"] is None for task in page["tasks"]):
            return False
        place = None if page["next"] is None else f"?before={page['next']}"
    return True


def forget_all(server: Server) -> None:
    """Cancel and remove all tasks of a server."""

    def is_empty() -> bool:
        tasks = json.loads(request(server.port, "GET", "/api/tasks").body)["tasks"]
        for task in tasks:
            path = f"/api/tasks/{task['task_id']}"
            if task["finished_at"] is None:
                request(server.port, "POST", f"{path}/cancel")
            else:
                request(server.port, "DELETE", path)
        return not tasks

    wait_until(is_empty, "no tasks")


class TasksPage:
    """A tab with the page.

    Args:
        tab: the tab.
    """

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    @classmethod
    def open(cls, context: Context, server: Server) -> Self:
        """Open the page in a new tab, and wait until its stream is open and its list is shown."""
        page = cls(context.tab(f"{server.url}/console/tasks"))
        page.wait_until_ready()
        return page

    def wait_until_ready(self) -> None:
        """Wait until the stream is open, and the list and the form are shown."""
        self.wait("document.querySelector('#connection').textContent === 'open'")
        self.wait("document.querySelector('[aria-busy=true]') === null")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression is true in the page."""
        self.tab.wait_for(expression)

    def choose(self, task_type: str) -> None:
        """Choose the type of the task to start."""
        self.tab.locate("#task-type", "select_option", task_type)

    def fill(self, label: str, value: str) -> None:
        """Type a value into the field with a label."""
        self.tab.fill(f".field:has(> label:text('{label}')) :is(input, textarea)", value)

    def typed(self, label: str) -> str:
        """Return what the field with a label shows."""
        field = f".field:has(> label:text('{label}')) :is(input, textarea)"
        value: str = self.tab.locate(field, "input_value")
        return value

    def problem(self, label: str) -> str:
        """Return the message at the field with a label."""
        return self.tab.text(f".field:has(> label:text('{label}')) > .field-error")

    def start(self, task_type: str, **params: str) -> str:
        """Start a task with the form, and return its id once it is in the list."""
        before = self.ids
        self.choose(task_type)
        for label, value in params.items():
            self.fill(label, value)
        self.tab.click("#start button[type=submit]")
        self.wait(f"document.querySelectorAll('[data-task]').length > {len(before)}")
        self.wait("document.querySelector('#start button[type=submit]').textContent === 'Start'")
        [new] = set(self.ids) - set(before)
        return new

    def start_many(self, count: int) -> None:
        """Start many tasks that end at once, without the form."""
        statuses = self.tab.evaluate(
            """(count) => {
              const params = { steps: 1, delay: 0 };
              const body = JSON.stringify({ task_type: "demo_task", params });
              const headers = { "Content-Type": "application/json" };
              const start = () => fetch("/console/api/tasks", { method: "POST", headers, body });
              const starts = Array.from({ length: count }, start);
              return Promise.all(starts).then((answers) => answers.map((answer) => answer.status));
            }""",
            count,
        )
        assert statuses == [202] * count

    @property
    def ids(self) -> list[str]:
        """The ids of the tasks in the list, from the top."""
        ids: list[str] = self.tab.evaluate(
            "Array.from(document.querySelectorAll('[data-task]'), (row) => row.dataset.task)"
        )
        return ids

    def wait_for_state(self, task_id: str, state: str) -> None:
        """Wait until the row of a task has a state, in words."""
        self.wait(
            f"document.querySelector('[data-task=\"{task_id}\"] .task-state')?.textContent"
            f" === '{state}'"
        )

    def press(self, task_id: str, name: str) -> None:
        """Press a button in the row of a task."""
        self.tab.click(f"[data-task='{task_id}'] button:text-is('{name}')")

    def open_part(self, task_id: str, name: str) -> str:
        """Open the result or the params of a task, and return the text."""
        part = f"[data-task='{task_id}'] details:has(> summary:text-is('{name}'))"
        self.tab.click(f"{part} > summary")
        return self.tab.text(f"{part} pre")

    def row(self, task_id: str, part: str = "") -> str:
        """Return the text of a task's row, or of a part of the row."""
        return self.tab.text(f"[data-task='{task_id}'] {part}")

    def count_words(self) -> str:
        """Return what the page says of the number of tasks."""
        return self.tab.text("#list-count")
