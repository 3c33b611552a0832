"""LostServers: the tasks of a server that is gone have failed, and each is told once."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import NotFound
from app.tasks.run.outcome import LOST_PENDING, LOST_RUNNING
from app.tasks.servers import lost
from app.tasks.servers.lost import GONE_SECONDS, NEXT_SECONDS
from tests.app.tasks.servers.server_support import ServerProcess, Servers, finished
from tests.app.tasks.task_support import Clock, Gate
from tests.support.timing import wait_until


@pytest.fixture
def clock() -> Clock:
    """Return the clock of all processes."""
    return Clock()


def failures(*processes: ServerProcess) -> list[tuple[str, Any]]:
    """Return the tasks that processes have told as failed, in order, with the reasons."""
    return [
        (event["task_id"], event["data"]["error"])
        for process in processes
        for event in process.sender.sent
        if event["event_type"] == "task_failed"
    ]


def look(process: ServerProcess) -> None:
    """Let a process look for servers that are gone."""
    process.service._servers.lost.look()


def knows(process: ServerProcess, *task_ids: str) -> None:
    """Wait until a process knows exactly these tasks of other servers."""
    wait_until(lambda: list(process.service._servers.lost._tasks) == list(task_ids), "the tasks")


def remembered(process: ServerProcess) -> dict[str, int]:
    """Return how many items each collection has in which a process remembers tasks of others."""
    attributes = vars(process.service._servers.lost)
    return {name: len(each) for name, each in attributes.items() if isinstance(each, dict | set)}


def pass_seconds(clock: Clock, seconds: float, *processes: ServerProcess) -> None:
    """Let processes look, then let time pass, then let them look again."""
    for process in processes:
        look(process)
    clock.now += seconds
    for process in processes:
        look(process)


def test_the_tasks_of_a_server_that_is_gone(servers: Servers, clock: Clock) -> None:
    """The running and the waiting one have failed, told by one survivor; the finished one stays."""
    first, second = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    gone = servers.process("c", "z", clock=clock, max_workers=2)
    finished(gone)
    gone.service.start_task(Gate())
    gone.service.start_task(Gate())
    gone.service.start_task(Gate())
    knows(first, "c2", "c3", "c4")
    gone.kill()
    pass_seconds(clock, GONE_SECONDS - 0.1, second, first)
    assert failures(first, second) == []
    clock.now += 0.1
    look(second)
    assert failures(first, second) == []
    look(first)
    wait_until(lambda: len(failures(first)) == 3, "the events")
    assert failures(first) == [("c2", LOST_RUNNING), ("c3", LOST_RUNNING), ("c4", LOST_PENDING)]
    pass_seconds(clock, 100, second, first)
    assert len(failures(first, second)) == 3
    with pytest.raises(NotFound):
        first.service.get_task_status("c2")


def test_the_last_server_tells(servers: Servers, clock: Clock) -> None:
    """Of two servers one is left: no other process reads its claim."""
    here, gone = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    gone.service.start_task(Gate())
    knows(here, "b1")
    gone.kill()
    pass_seconds(clock, GONE_SECONDS, here)
    wait_until(lambda: failures(here) == [("b1", LOST_RUNNING)], "the event")


def test_the_next_survivor_tells(servers: Servers, clock: Clock) -> None:
    """The first in the order does not look, because its event loop is blocked."""
    blocked, here, gone = (servers.process(*name, clock=clock) for name in ("ax", "by", "cz"))
    gone.service.start_task(Gate())
    knows(here, "c1")
    gone.kill()
    pass_seconds(clock, GONE_SECONDS + NEXT_SECONDS, here)
    wait_until(lambda: failures(here), "the event")
    pass_seconds(clock, 100, blocked)
    assert failures(here, blocked) == [("c1", LOST_RUNNING)]


def test_two_claims_at_the_same_time(servers: Servers, clock: Clock) -> None:
    """The first one in the log counts, for both."""
    first, second, gone = (servers.process(*name, clock=clock) for name in ("ax", "by", "cz"))
    gone.service.start_task(Gate())
    knows(first, "c1")
    gone.kill()
    for process in (first, second):
        look(process)
    servers.group.is_paused = True
    clock.now += GONE_SECONDS + NEXT_SECONDS
    look(second)
    look(first)
    servers.group.is_paused = False
    for process in (first, second):
        process.peers.read()
    wait_until(lambda: failures(first, second), "the event")
    assert (failures(first), failures(second)) == ([], [("c1", LOST_RUNNING)])


def test_a_worker_of_a_server_that_goes_on(servers: Servers, clock: Clock) -> None:
    """Its own server takes over its tasks, and tells; no other server does."""
    here, there, beside = (servers.process(*name, clock=clock) for name in ("ax", "by", "cy"))
    there.service.start_task(Gate())
    knows(here, "b1")
    there.kill()
    pass_seconds(clock, 100, here)
    beside.service._takeover.look()
    assert failures(here, beside) == [("b1", LOST_RUNNING)]
    knows(here)
    beside.kill()
    pass_seconds(clock, 100, here)
    assert len(failures(here, beside)) == 1


@pytest.mark.parametrize("seconds", [1.0, 100.0])
def test_a_server_that_comes_back(servers: Servers, clock: Clock, seconds: float) -> None:
    """It tells the failures itself, unless another server has told them meanwhile."""
    here, gone = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    gone.service.start_task(Gate())
    knows(here, "b1")
    gone.kill()
    pass_seconds(clock, seconds, here)
    back = servers.process("c", "y", clock=clock)
    wait_until(lambda: servers.rows("y", "SELECT told FROM tasks") == [(1,)], "the event")
    pass_seconds(clock, 100, here, back)
    assert failures(*((here,) if seconds > GONE_SECONDS else (back,))) == [("b1", LOST_RUNNING)]
    assert len(failures(here, back)) == 1
    for process in (here, back):
        assert process.service.get_task_status("b1").error == LOST_RUNNING
        assert process.listed == {"b1": "failed"}


def test_an_answer_of_another_version(
    servers: Servers, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that comes back leaves out an answer that it cannot read, and takes the others."""
    here, gone = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    gone.service.start_task(Gate())
    knows(here, "b1")
    gone.kill()
    pass_seconds(clock, 100, here)
    servers.group.join("0@z").when_asked(lost.TOLD, lambda _: 5)
    back = servers.process("c", "y", clock=clock)
    wait_until(lambda: servers.rows("y", "SELECT told FROM tasks") == [(1,)], "the look")
    assert (failures(here), failures(back)) == ([("b1", LOST_RUNNING)], [])
    assert "the answer of another server about its tasks cannot be read" in caplog.text


def test_a_server_that_was_cut_off(servers: Servers, clock: Clock) -> None:
    """It learns that its tasks were told as failed: it ends them, and tells nothing."""
    here, there = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    there.service.start_task(Gate())
    knows(here, "b1")
    there.peers.leave()
    pass_seconds(clock, GONE_SECONDS, here)
    wait_until(lambda: failures(here), "the event")
    servers.group.members.append(there.peers)
    there.peers.read()
    there.settle()
    assert here.listed == there.listed == {"b1": "failed"}
    assert failures(here, there) == [("b1", LOST_RUNNING)]


def test_a_server_that_joins(servers: Servers, clock: Clock) -> None:
    """It asks for what was begun before."""
    there = servers.process("b", "y", clock=clock)
    there.service.start_task(Gate())
    here = servers.process("a", "x", clock=clock)
    here.peers.start()
    knows(here, "b1")
    there.kill()
    pass_seconds(clock, GONE_SECONDS, here)
    wait_until(lambda: failures(here), "the event")


def test_notes_that_were_missed(servers: Servers, clock: Clock) -> None:
    """After a gap, a process asks again: it forgets what is over, and learns what has begun."""
    here, there = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    there.service.start_task(Gate())
    knows(here, "b1")
    look(here)
    asked = len(here.peers.asked)
    look(here)
    assert len(here.peers.asked) == asked  # only once
    servers.group.is_paused = True
    there.service.cancel_task("b1")
    there.sent("task_cancelled", "b1")
    there.service.start_task(Gate())
    there.sent("task_started", "b2")
    here.peers._read = len(servers.group.notes)
    servers.group.is_paused = False
    here.service._servers.lost._joined()
    look(here)
    knows(here, "b2")


def test_an_end_while_the_tasks_are_asked_for(servers: Servers, clock: Clock) -> None:
    """The note of the end may be read before the older answer: the task stays over."""
    here, there = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    there.service.start_task(Gate())
    knows(here, "b1")
    ask = here.peers.ask

    def ask_slowly(*args: Any, **options: Any) -> Any:
        answers = ask(*args, **options)
        there.service.cancel_task("b1")
        there.sent("task_cancelled", "b1")
        return answers

    here.peers.ask = ask_slowly
    look(here)
    knows(here)


def test_the_memory_is_bounded(
    servers: Servers, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest task is forgotten."""
    monkeypatch.setattr(lost, "MAX_TASKS", 2)
    here, there = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    for _ in range(3):
        there.service.start_task(Gate())
    knows(here, "b2", "b3")
    there.kill()
    pass_seconds(clock, GONE_SECONDS, here)
    wait_until(lambda: len(failures(here)) == 2, "the events")


def test_a_finished_task_leaves_nothing(servers: Servers, clock: Clock) -> None:
    """Tasks that end while nobody is asked for tasks take no memory."""
    here, there = (servers.process(*name, clock=clock) for name in ("ax", "by"))
    look(here)
    before = remembered(here)
    for number in (1, 2, 3):
        there.service.start_task(Gate())
        knows(here, f"b{number}")
        there.service.cancel_task(f"b{number}")
        there.sent("task_cancelled", f"b{number}")
        knows(here)
    assert remembered(here) == before
