"""The watch of the event loop names a task that blocks it."""

from __future__ import annotations

import re

from tests.faults.conftest import Tally
from tests.support.backend_client import connect, metric, start_task, task_story
from tests.support.processes.server import GunicornServer
from tests.support.timing import wait_until

TASKS = ",".join(
    f"tests.faults.event_loop.busy_tasks:{name}" for name in ("BlockingTask", "ThreadedTask")
)


def lengths_of_blocks(server: GunicornServer) -> list[float]:
    """Return the lengths of the blocks that the server has logged, in seconds."""
    found = re.findall(r"runs again after it was blocked +seconds=([0-9.]+)", server.log)
    return [float(seconds) for seconds in found]


def test_a_task_that_blocks_the_loop_is_named(tally: Tally) -> None:
    """A task that blocks the loop causes one warning with its stack, and counts in the metric."""
    with GunicornServer(env={"APP_TASKS": TASKS}) as server, connect(server) as stream:
        stream.wait_for("version")
        before = metric(server, "event_loop_blocked_seconds_total")
        threaded = start_task(server, "threaded_task")
        assert task_story(stream, threaded)[-1]["event_type"] == "task_completed"
        assert "compute_for" not in server.log
        blocking = start_task(server, "blocking_task")
        assert task_story(stream, blocking)[-1]["event_type"] == "task_completed"
        wait_until(
            lambda: metric(server, "event_loop_blocked_seconds_total") - before > 0.3,
            "the metric to rise",
        )
        reports = server.log.split("the event loop is blocked")[1:]
        named = [report for report in reports if "in compute_for" in report]
        assert len(named) == 1
        assert "busy_tasks.py" in named[0]
        assert "WARNING app.services.event_loop.loop_watch: " in server.log
        # A busy machine may stop the whole process for a moment, which is logged as well.
        wait_until(
            lambda: any(seconds >= 0.5 for seconds in lengths_of_blocks(server)),
            lambda: f"the whole block in {lengths_of_blocks(server)}",
        )
        assert server.terminate() == 0
    tally("a task that blocks the event loop for 0.5 s", 4, 4, "nothing; everyone waited")
