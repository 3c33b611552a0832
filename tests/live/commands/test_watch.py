"""``watch`` with a server whose worker is killed."""

from __future__ import annotations

import io
import os
import signal
import threading

import pytest

from app.watch.command import watch
from tests.support.backend_client import metric, start_task
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until


def test_catches_up_after_a_killed_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that are sent between the kill and the reconnect are shown and counted."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    out, err = io.StringIO(), io.StringIO()
    with GunicornServer() as server:
        worker = server.worker_pid()
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                raise KeyboardInterrupt
            wait_until(lambda: server.worker_pid() != worker, "the next worker")
            start_task(server, "demo_task", steps=1, delay=0)
            wait_until(lambda: metric(server, "sse_log_newest_position") == 3, "three events")

        # The clock stands still, because on a busy machine a pause may be in the replay, which
        # would end the count.
        options = {"out": out, "err": err, "sleep": pause, "ticks": lambda: 0.0}
        watching = threading.Thread(target=watch, args=(server.url,), kwargs=options)
        watching.start()
        wait_until(lambda: "version" in out.getvalue(), "the version")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: "caught up" in err.getvalue() or len(pauses) == 2, "the events")
        server.terminate()
        watching.join(TIME_LIMIT)
    assert "watch: caught up with 3 events\n" in err.getvalue()
    kinds = [line.split()[1:4:2] for line in out.getvalue().splitlines()]
    assert [kind[-1] for kind in kinds if kind[0] == "task_event"] == [
        "task_started",
        "progress_update",
        "task_completed",
    ]
