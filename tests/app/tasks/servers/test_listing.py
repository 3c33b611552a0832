"""ServerTaskList: which process of a server answers, and what a wrong answer means."""

from __future__ import annotations

import time
from typing import Any

import pytest
from gevent.event import Event as Signal

from app.tasks.run.store import StoreLimits, TaskStore
from app.tasks.servers import listing as listing_module
from app.tasks.servers.listing import LIST, ServerTaskList
from tests.app.tasks.memory.table_support import completed, running
from tests.support.peers import FakePeers, PeerGroup
from tests.support.timing import wait_until


def listing(peers: FakePeers, *numbers: int) -> ServerTaskList:
    """Return the list of a process that has some tasks."""
    store = TaskStore(StoreLimits(), time.monotonic)
    for number in numbers:
        store.add(running(number) if number % 2 else completed(number))
    return ServerTaskList(peers, store)


def test_one_process_of_each_server_answers() -> None:
    """The others of the same server are not asked, because they share its memory."""
    group = PeerGroup()
    here = listing(group.join("p1@a"))
    for name, number in (("p1@b", 1), ("p2@b", 2), ("p1@c", 3)):
        listing(group.join(name), number)
    found = here.newest(10, None)
    assert (sorted(task.number for task in found.tasks), found.is_complete) == ([1, 3], True)
    assert group.members[0].asked == [LIST, LIST]
    assert here.newest(10, 3).tasks == [found.tasks[0]]


def test_the_next_process_answers_for_a_silent_one() -> None:
    """All others of the server are asked then, and one answer is enough."""
    group = PeerGroup()
    here = listing(group.join("p1@a"))
    for number in (1, 2, 3):
        listing(group.join(f"p{number}@b"), number)
    group.silent |= {"p1@b", "p2@b"}
    found = here.newest(10, None)
    assert ([task.number for task in found.tasks], found.is_complete) == ([3], True)
    group.silent.add("p3@b")
    assert here.newest(10, None) == ([], False)


def test_a_log_that_takes_no_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list waits for its limit, and the next one not at all until the log works again."""
    monkeypatch.setattr(listing_module, "LIST_SECONDS", 0.01)
    group, works = PeerGroup(), Signal()
    here = listing(group.join("p1@a"))
    listing(group.join("p1@b"), 1)
    peers, asked = group.members[0], []
    ask = peers.ask

    def ask_late(*args: Any, **options: Any) -> Any:
        asked.append(args)
        works.wait()
        return ask(*args, **options)

    monkeypatch.setattr(peers, "ask", ask_late)
    for _ in range(3):
        assert here.newest(10, None) == ([], False)
    assert len(asked) == 1
    works.set()
    wait_until(lambda: here.newest(10, None).is_complete, "the other server")
    assert [task.number for task in here.newest(10, None).tasks] == [1]


@pytest.mark.parametrize("answer", ["x", [[1]], [["x", {}]], [[1, {"task_id": "t"}]], {}])
def test_an_answer_of_another_version(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that cannot be read is logged, and counts as none."""
    group = PeerGroup()
    here, there = listing(group.join("p1@a")), group.join("p1@b")
    there.when_asked(LIST, lambda _: answer)
    assert here.newest(10, None) == ([], False)
    assert caplog.messages == ["the list of another server's tasks cannot be read"]
