"""Attacks with tasks: thousands of tasks, large results, and progress without pause."""

from __future__ import annotations

import itertools
import threading
import time

from tests.faults.attacks.target import Pace, Target, send_and_hold

__all__ = ["slow_readers", "task_flood", "task_list", "tasks_without_pause", "unread_pipelines"]


def tasks_without_pause(target: Target) -> None:
    """Run four tasks at a time that report progress without pause (``endless_progress_task``).

    Options: ``tasks``, 4; ``seconds``, the duration of each task, 1.
    """
    seconds = float(target.text("seconds", "1"))
    pace = Pace(target.number("tasks", 4) / seconds)
    for number in itertools.count():
        pace.spend()
        target.start_task("endless_progress_task", seconds=seconds)
        if number >= 2:
            target.begun()


def task_flood(target: Target) -> None:
    """Start tasks that end at once, as fast as the server accepts them.

    Options: ``rate``, in tasks per second, 500.
    """
    pace = Pace(target.number("rate", 500))
    target.begun()
    while True:
        pace.spend()
        target.start_task("demo_task", steps=1, delay=0)


def task_list(target: Target) -> None:
    """Request the list of thousands of finished tasks again and again.

    Options: ``tasks``, 2,000; ``connections``, 4, which send requests at the same time.
    """
    count = target.number("tasks", 2000)
    threads = [
        threading.Thread(target=_start_tasks, args=(target, count // 4), daemon=True)
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def ask() -> None:
        while True:
            target.ask(target.head("GET", "/api/tasks", "Connection: close"))

    for _ in range(target.number("connections", 4)):
        threading.Thread(target=ask, daemon=True).start()
    target.begun()
    threading.Event().wait()


def slow_readers(target: Target) -> None:
    """Request the status of a task with a large result on many connections, and do not read it.

    Half of the results have three megabytes, half have 900 KB (``large_result_task``).
    Options: ``connections``, 2,050; ``rate``, in connects per second, 500.
    """
    requests = []
    for size in (3_000_000, 900_000):
        task = target.start_task("large_result_task", size=size)["task_id"]
        request = target.head("GET", f"/api/tasks/{task}/status")
        while b'"completed"' not in target.ask(
            target.head("GET", f"/api/tasks/{task}/status", "Connection: close")
        )[1].replace(b" ", b""):
            time.sleep(0.05)
        requests.append(request)
    count = target.number("connections", 2050)
    pace = Pace(target.number("rate", 500))
    send_and_hold(
        target,
        itertools.cycle(requests),
        pace,
        count,
        begun_at=min(count, 500),
        receive_buffer=4096,
    )


def unread_pipelines(target: Target) -> None:
    """Send two thousand requests on each of many connections, and do not read the responses.

    Options: ``connections``, 2,050; ``path``; ``rate``, in connects per second, 400.
    """
    requests = target.head("GET", target.text("path", "/api/tasks")) * 2000
    count = target.number("connections", 2050)
    send_and_hold(
        target,
        itertools.repeat(requests),
        Pace(target.number("rate", 400)),
        count,
        seconds=0,
        begun_at=min(count, 500),
        receive_buffer=4096,
    )


def _start_tasks(target: Target, count: int) -> None:
    for _ in range(count):
        target.start_task("demo_task", steps=1, delay=0)
