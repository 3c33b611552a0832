"""Native threads and the event loop use the same locks, and nothing hangs."""

from __future__ import annotations

import threading
import time
from typing import Any

import gevent

from tests.faults.conftest import Tally
from tests.support.backend_client import active_streams, connect, metric, start_task, task_events
from tests.support.http.client import request
from tests.support.http.stream import Stream
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

SECONDS = 10.0

TASKS = "tests.faults.event_loop.sharing_tasks:"
TERMINAL = ("task_completed", "task_failed", "task_cancelled")
NAMES = ("SharingTask", "GreenSharingTask", "AskingTask", "AnsweringTask", "SumTask")


def counts_of(stream: Stream, task_id: str, limit: float = TIME_LIMIT) -> dict[str, int]:
    """Wait at most ``limit`` seconds for the end of a task, and return its counts."""

    def last_event() -> dict[str, Any] | None:
        last = task_events(stream.poll().events, task_id)[-1:]
        return last[0] if last and last[0]["event_type"] in TERMINAL else None

    last = wait_until(last_event, f"the end of the task {task_id}", limit=limit)
    assert last["event_type"] == "task_completed", last
    counts: dict[str, int] = last["data"]["counts"]
    return counts


class Visitors:
    """Clients that send requests and open streams again and again, in greenlets."""

    def __init__(self, server: GunicornServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self.answers = [0, 0, 0, 0]
        self._greenlets = [gevent.spawn(self._visit, number) for number in range(4)]

    def _visit(self, number: int) -> None:
        while not self._stop.is_set():
            if number % 2:
                with connect(self._server) as stream:
                    stream.wait_for("version")
            else:
                assert request(self._server.port, "GET", "/healthz").status == 200
            self.answers[number] += 1

    def leave(self) -> None:
        """Stop the clients. Raises an error if a client did not get a response."""
        self._stop.set()
        gevent.joinall(self._greenlets, timeout=TIME_LIMIT * 2, raise_error=True)
        assert all(greenlet.successful() for greenlet in self._greenlets)


def test_threads_and_the_event_loop_share_locks(tally: Tally) -> None:
    """In ten seconds of contention, tasks end, counts are right, and clients are served."""
    env = {"APP_TASKS": ",".join(TASKS + name for name in NAMES), "TASK_MAX_WORKERS": "8"}
    with GunicornServer(env=env) as server:
        params: dict[str, Any] = {"seconds": SECONDS, "url": f"{server.url}/healthz"}
        with connect(server) as stream:
            visitors = Visitors(server)
            sharing = [start_task(server, "sharing_task", **params) for _ in range(2)]
            sharing += [start_task(server, "green_sharing_task", **params) for _ in range(2)]
            exchange = [
                start_task(server, "asking_task", **params),
                start_task(server, "answering_task"),
            ]
            began = time.monotonic()
            limit = SECONDS + TIME_LIMIT * 2
            found = [counts_of(stream, task, limit) for task in sharing]
            exchanged = [counts_of(stream, task, limit)["exchanges"] for task in exchange]
            assert time.monotonic() - began >= SECONDS - 1
            visitors.leave()
            summed = counts_of(stream, start_task(server, "sum_task"))

        rounds = sum(counts["rounds"] for counts in found)
        assert all(counts["rounds"] == counts["locals"] for counts in found)
        assert [counts["futures"] for counts in found] == [-(-c["rounds"] // 10) for c in found]
        assert [counts["requests"] for counts in found] == [-(-c["rounds"] // 20) for c in found]
        lines = sum(counts["lines"] for counts in found)
        assert summed == {"locked": rounds, "counted": rounds, "lines": lines}
        assert exchanged[0] == exchanged[1] > 0
        assert min(counts["rounds"] for counts in found) > 0
        assert min(visitors.answers) > 0

        # The end of every stream is reported, and the backend knows no stream that has ended.
        wait_until(lambda: active_streams(server) == 0, "the end of every stream")
        ends = [
            metric(server, f'sse_gateway_connections_total{{action="{action}"}}')
            for action in ("connect", "disconnect")
        ]
        assert ends[0] == ends[1] > visitors.answers[1]
    # Each stream was due to get the version.
    arrived = 1 + visitors.answers[1] + visitors.answers[3]
    assert arrived == ends[0]
    tally("threads and the event loop share locks, 10 s", int(ends[0]), arrived, "nothing")
