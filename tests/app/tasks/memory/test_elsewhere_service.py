"""``TaskService`` in several processes that can ask each other: the same answers from each."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from app.errors import InvalidOperationException, NotFound, Unavailable
from app.state import saves
from app.tasks.memory import table, takeover
from app.tasks.run.outcome import LOST_RUNNING
from tests.app.state.memory_support import Server, server
from tests.app.tasks.task_support import Call, Done, Gate, assert_one_end
from tests.app.tasks.test_service_processes import Process
from tests.support.peers import PeerGroup
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["server"]


@pytest.fixture(autouse=True)
def _nothing_happens_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "LOOK_SECONDS", TIME_LIMIT)
    monkeypatch.setattr(saves, "LAZY_SECONDS", TIME_LIMIT)


@pytest.fixture
def group() -> PeerGroup:
    """Return the processes that can ask each other."""
    return PeerGroup()


class Worker(Process):
    """A task service in a worker of a server.

    Args:
        server: the server.
        group: the workers.
        name: the first part of the IDs of the worker's tasks.
    """

    def __init__(self, server: Server, group: PeerGroup, name: str, **options: Any) -> None:
        self.peers = group.join(name)
        super().__init__(server, name, peers=self.peers, **options)

    def kill(self) -> None:
        """End the worker without its shutdown."""
        self.peers.leave()
        super().kill()


def finished(worker: Worker) -> str:
    """Run a task in a worker to its end, beside other tasks, and return its ID."""
    task_id = worker.service.start_task(Call(lambda handle: Done())).task_id
    worker.sent("task_completed", task_id)
    return task_id


def outcome(call: Any, task_id: str) -> str:
    """Return the status that a call answers, or its error."""
    try:
        return str(call(task_id).status.value)
    except (InvalidOperationException, NotFound, Unavailable) as exc:
        return f"{exc.status:d} {exc.message}"


def test_a_task_is_cancelled_from_any_worker(server: Server, group: PeerGroup) -> None:
    """Running or waiting, with the answers of the task's own worker; every worker sees it."""
    here, there = Worker(server, group, "a"), Worker(server, group, "b", max_workers=1)
    running, waiting = (there.service.start_task(Gate()).task_id for _ in range(2))
    for task_id in (waiting, running):
        assert outcome(here.service.cancel_task, task_id) == "cancelled"
        assert here.listed[task_id] == there.listed[task_id] == "cancelled"
    there.settle()
    for task_id in (waiting, running):
        assert_one_end(there, task_id, "task_cancelled")
        answers = {outcome(worker.service.cancel_task, task_id) for worker in (here, there)}
        assert answers == {
            f"409 Task {task_id} is cancelled already; only a pending or running task can be"
            " cancelled"
        }
    assert here.sender.sent == []
    assert outcome(here.service.cancel_task, "b3").startswith("404 There is no task b3")
    here.end()
    there.end()


def test_a_finished_task_is_removed_everywhere(server: Server, group: PeerGroup) -> None:
    """Its own worker forgets it at once, too, whichever worker is asked."""
    workers = here, there = Worker(server, group, "a"), Worker(server, group, "b")
    for remover in workers:
        task_id = there.run(Call(lambda handle: Done()))
        remover.service.remove_completed_task(task_id)
        for worker in workers:
            assert outcome(worker.service.get_task_status, task_id).startswith("404")
            assert worker.listed == {}
    task_id = there.service.start_task(Gate()).task_id
    answers = {outcome(worker.service.remove_completed_task, task_id) for worker in workers}
    assert answers == {f"409 Task {task_id} is running; cancel it before you remove it"}
    here.end()
    there.end()


def test_a_result_that_is_not_saved(
    server: Server, group: PeerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker that has the result is asked; if it has ended, the answer says what is missing."""
    monkeypatch.setattr(table, "RESULTS_BYTES_IN_RAM", 5)
    here, there = Worker(server, group, "a"), Worker(server, group, "b")
    task_id = there.run(Call(lambda handle: Done(number=7)))
    full = there.service.get_task_status_json(task_id)
    assert here.service.get_task_status_json(task_id) == full
    assert here.service.get_task_status(task_id).result == {"number": 7}
    assert here.service.result_bytes(task_id) > 1024 * 1024  # unknown, so it counts as large
    assert there.peers.asked == []
    group.silent.add("b")
    assert outcome(here.service.get_task_status, task_id).startswith("503")
    there.kill()
    status = here.service.get_task_status(task_id)
    assert (status.result, status.omitted) == ({}, ["result"])
    there.end()
    here.end()


def test_a_worker_that_does_not_answer(server: Server, group: PeerGroup) -> None:
    """Its tasks stay as they are, and the caller is told to try again."""
    here, there = Worker(server, group, "a"), Worker(server, group, "b")
    running = there.service.start_task(Gate()).task_id
    done = finished(there)
    group.silent.add("b")
    for call, task_id in (
        (here.service.cancel_task, running),
        (here.service.remove_completed_task, done),
    ):
        assert outcome(call, task_id) == (
            f"503 Task {task_id} may be in a process that does not answer at the"
            " moment; try again in some seconds"
        )
    assert here.listed == there.listed == {done: "completed", running: "running"}
    here.end()
    there.end()


def test_a_task_whose_worker_has_just_ended(server: Server, group: PeerGroup) -> None:
    """It is failed at once, told once, and answered as failed; it can be removed."""
    here, there, _ = (Worker(server, group, name) for name in "abc")
    task_id = there.service.start_task(Gate()).task_id
    done = finished(there)
    there.kill()
    assert outcome(here.service.cancel_task, task_id).startswith(f"409 Task {task_id} is failed")
    assert here.service.get_task_status(task_id).error == LOST_RUNNING
    assert here.sender.types(task_id) == ["task_failed"]
    for removed in (task_id, done):
        here.service.remove_completed_task(removed)
    assert here.listed == {}
    there.end()
    here.end()


def test_several_workers_notice_an_end_at_the_same_time(server: Server, group: PeerGroup) -> None:
    """Each lost task is told once, by one of them."""
    victim = Worker(server, group, "v", max_workers=20)
    others = [Worker(server, group, name) for name in "abcd"]
    lost = {victim.service.start_task(Gate()).task_id for _ in range(40)}
    victim.kill()
    looks = [gevent.spawn(other.service._takeover.look) for other in others]
    gevent.joinall(looks, timeout=TIME_LIMIT, raise_error=True)
    told = [event["task_id"] for other in others for event in other.sender.sent]
    assert (len(told), set(told)) == (40, lost)
    assert {frozenset(other.listed.items()) for other in others} == {
        frozenset((task_id, "failed") for task_id in lost)
    }
    victim.end()
    for other in others:
        other.end()


def test_progress_is_seen_from_any_worker(
    server: Server, group: PeerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a second, without a save for each update; a worker alone saves none."""
    monkeypatch.setattr(saves, "LAZY_SECONDS", 0.01)
    there, gate = Worker(server, group, "b"), Gate()

    def work(handle: Any) -> Done:
        handle.send_progress("half", 0.5)
        gate.opened.wait()
        return Done()

    alone = there.service.start_task(Call(work)).task_id
    there.sent("progress_update", alone)
    here = Worker(server, group, "a")
    task_id = there.service.start_task(Call(work)).task_id
    wait_until(lambda: here.service.get_task_status(task_id).progress.value == 0.5, "the progress")
    assert here.service.get_task_status(alone).progress.value != 0.5
    gate.opened.set()
    there.settle()
    here.end()
    there.end()


def test_an_answer_waits_for_the_save(server: Server, group: PeerGroup) -> None:
    """Another worker writes at the moment: a task is found elsewhere as soon as its id is known."""
    here, there = Worker(server, group, "a"), Worker(server, group, "b")

    def while_writing(call: Any) -> Any:
        with server.writing():
            answer = gevent.spawn(call)
            gevent.sleep(0.01)
            assert not answer.ready()
            assert there.sender.sent == []
        return answer.get(timeout=TIME_LIMIT)

    task_id = while_writing(lambda: there.service.start_task(Gate())).task_id
    assert here.listed == {task_id: "running"}
    there.sent("task_started", task_id)
    there.sender.sent.clear()
    while_writing(lambda: here.service.cancel_task(task_id))
    assert here.listed == {task_id: "cancelled"}
    there.settle()
    there.sender.sent.clear()
    while_writing(lambda: there.service.remove_completed_task(task_id))
    assert here.listed == {}
    here.end()
    there.end()


def test_pages_while_another_worker_starts_tasks(server: Server, group: PeerGroup) -> None:
    """No task is missing in the pages and none is listed twice, whoever starts meanwhile."""
    here, there = Worker(server, group, "a"), Worker(server, group, "b")
    for number in range(12):
        (here, there)[number % 2].service.start_task(Gate())
    first = here.listed
    seen: list[str] = []
    page = here.service.list_tasks(3)
    while True:
        seen += [task.task_id for task in page.tasks]
        there.service.start_task(Gate())
        if page.next is None:
            break
        page = here.service.list_tasks(3, page.next)
    assert seen == list(first)
    assert len(here.listed) == 12 + 4
    here.end()
    there.end()
