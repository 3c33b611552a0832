"""Tasks that run programs, use asyncio, or try to copy the serving process."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend_client import connect, start_task
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import TIME_LIMIT, wait_until

ROUNDS = 8

TASKS = (
    "RunPrograms",
    "RunProgramsWithGevent",
    "RunAsyncio",
    "TryForbidden",
    "TryForbiddenOnThread",
    "ListInherited",
)


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a server that offers the tasks of process_tasks."""
    tasks = ",".join(f"tests.live.tasks.process_tasks:{name}" for name in TASKS)
    env = {"APP_TASKS": tasks, "TASK_MAX_WORKERS": "8"}
    with GunicornServer(env=env) as running:
        yield running


def children_of(pid: int) -> list[str]:
    """Return the stat lines of the children of a process, including zombies."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            stat = Path("/proc", entry, "stat").read_text() if entry.isdigit() else ""
            if stat.rpartition(")")[2].split()[1:2] == [str(pid)]:
                found.append(stat)
    return found


def answers(server: Server, task_id: str) -> list[Any]:
    """Wait until a task has completed, and return its answers."""

    def status() -> dict[str, Any] | None:
        answer = request(server.port, "GET", f"/api/tasks/{task_id}/status")
        found: dict[str, Any] = json.loads(answer.body)
        return found if found["finished_at"] else None

    # Each of several tasks starts dozens of programs, which takes long on a slow machine.
    found = wait_until(status, f"the end of the task {task_id}", limit=6 * TIME_LIMIT)
    assert found["status"] == "completed", found["error"]
    return list(found["result"]["answers"])


def test_programs_run_once_and_end_as_they_say(server: GunicornServer, tmp_path: Path) -> None:
    """Threads, greenlets and asyncio run programs at the same time with the right results."""
    worker = server.worker_pid()
    notes = [tmp_path / str(number) for number in range(3)]
    native = [start_task(server, "run_programs", note=str(n), rounds=ROUNDS) for n in notes]
    green = [start_task(server, "run_programs_with_gevent", rounds=4 * ROUNDS) for _ in range(2)]
    by_asyncio = [start_task(server, "run_asyncio", rounds=ROUNDS) for _ in range(2)]

    stopped = [True, -9]
    statuses = [number % 7 for number in range(4 * ROUNDS)]
    for task_id, note in zip(native, notes, strict=True):
        ways = [["out\nerr\n", "out\nerr\n", s, s, s, s, s] for s in statuses[:ROUNDS]]
        assert answers(server, task_id) == [*ways, stopped]
        # Four ways write a line to the file, each of them once in a round.
        assert note.read_text() == "ran\n" * (4 * ROUNDS)
    for task_id in green:
        assert answers(server, task_id) == [*([status, True] for status in statuses), stopped]
    for task_id in by_asyncio:
        assert answers(server, task_id) == [["out\n", s, s] for s in statuses[:ROUNDS]]
    # Zombies would be among the children. Only gevent waits for the ``true`` of the green task.
    wait_until(lambda: not children_of(worker), "no child to be left over")


@pytest.mark.parametrize("task_type", ["try_forbidden", "try_forbidden_on_thread"])
def test_a_copy_of_the_process_is_refused(
    server: GunicornServer, task_type: str, tmp_path: Path
) -> None:
    """fork and multiprocessing are refused with advice, and do not run anything."""
    note = tmp_path / "note"
    worker = server.worker_pid()
    errors = answers(server, start_task(server, task_type, note=str(note)))
    forks, processes = [0, 1, 2, 4], [3, *range(5, 11)]
    assert all("os.fork is refused" in errors[index] for index in forks), errors
    assert all("cpu_bound = True" in errors[index] for index in processes), errors
    if task_type == "try_forbidden":
        assert all("Declare the task cpu_bound = True" in text for text in errors[11:13])
    assert len(errors) == (13 if task_type == "try_forbidden" else 11)
    assert not note.exists()
    assert server.worker_pid() == worker
    assert request(server.port, "GET", "/healthz").status == 200


def test_programs_inherit_no_socket(server: GunicornServer, tmp_path: Path) -> None:
    """A program inherits no socket, even if it is started with close_fds=False."""
    with connect(server) as stream:
        stream.wait_for("version")
        task_id = start_task(server, "list_inherited", note=str(tmp_path / "note"))
        for listed in answers(server, task_id):
            assert "/proc" in listed or "pipe" in listed or "dev" in listed
            assert "socket:" not in listed
