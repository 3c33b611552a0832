"""TaskPage: one page of the list of tasks."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from app.errors import BadRequest
from app.tasks.page import MAX_PAGE, TaskPage
from app.tasks.run.record import TaskRecord
from app.tasks.run.store import StoreLimits, TaskStore
from app.tasks.servers.listing import ServerTaskList
from gateway_shim.streams.peers.peers import Peers
from tests.app.tasks.task_support import Gate
from tests.support.peers import PeerGroup

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def store_of(count: int) -> TaskStore:
    """Make a store with unfinished tasks, whose numbers are 10, 20, ..."""
    store = TaskStore(StoreLimits(), time.monotonic)
    for number in range(1, count + 1):
        store.add(TaskRecord(f"t{number}", Gate(), {}, NOW, number=10 * number))
    return store


def ids_of(page: TaskPage) -> list[str]:
    """Return the IDs of the tasks in a page."""
    return [task.task_id for task in page.tasks]


def read(store: TaskStore, limit: int, before: str | None, peers: Peers | None = None) -> TaskPage:
    """Read a page in a process that has other ones, or is alone."""
    return TaskPage.read(store, ServerTaskList(peers or Peers(), store), limit, before)


def test_pages() -> None:
    """``next`` leads from page to page, newest task first, and is None at the end."""
    store = store_of(3)
    first = read(store, 2, None)
    assert (ids_of(first), first.next) == (["t3", "t2"], "20")
    second = read(store, 2, first.next)
    assert (ids_of(second), second.next) == (["t1"], None)


def test_a_full_last_page() -> None:
    """A page that ends with the oldest task has no next page."""
    page = read(store_of(2), 2, None)
    assert (ids_of(page), page.next) == (["t2", "t1"], None)


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
def test_an_invalid_limit(limit: int) -> None:
    """A limit outside the range is refused with the range."""
    with pytest.raises(BadRequest, match=rf"^limit is {limit}; it must be from 1 to 100$"):
        read(store_of(1), limit, None)


@pytest.mark.parametrize("before", ["x", "", "-1", "9" * 20, "\u0661"])
def test_an_invalid_cursor(before: str) -> None:
    """A cursor that is not a number of a task is refused."""
    with pytest.raises(BadRequest, match=r'^before must be the "next" of an earlier answer'):
        read(store_of(1), 1, before)


def test_servers_that_start_tasks_at_the_same_time() -> None:
    """Tasks with the same number are on one page, so none is left out and none is there twice."""
    group, store = PeerGroup(), store_of(3)
    here, there = group.join("p1@a"), group.join("p1@b")
    other = TaskStore(StoreLimits(), time.monotonic)
    for number in (1, 2, 3):
        other.add(TaskRecord(f"u{number}", Gate(), {}, NOW, number=10 * number))
    ServerTaskList(there, other)
    seen, before = [], None
    while True:
        page = read(store, 1, before, here)
        assert page.is_complete
        seen.append(ids_of(page))
        if page.next is None:
            break
        before = page.next
    assert seen == [["u3", "t3"], ["u2", "t2"], ["u1", "t1"]]


def test_a_page_says_that_tasks_are_missing() -> None:
    """A server that does not answer leaves its tasks out, and the page says so."""
    group = PeerGroup()
    here, there = group.join("p1@a"), group.join("p1@b")
    group.silent.add(there.process)
    page = read(store_of(2), 10, None, here)
    assert (ids_of(page), page.is_complete) == (["t2", "t1"], False)
