"""Bodies that cost more than their bytes, and answers that nobody reads: nobody else notices."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.body_attacks import attack
from tests.faults.canary import disturbance
from tests.faults.processes import memory
from tests.faults.undisturbed import MEGABYTE
from tests.live.actions import start_task
from tests.support.http import request
from tests.support.server import GunicornServer
from tests.support.timing import wait_until

RATIO = 50
"""The canary's 99th percentile under attack, in those of the idle server."""


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """The backend; a module's tests share it."""
    env = {"FLASK_ENV": "testing", "APP_TASKS": "tests.faults.big_task:BigTask"}
    with GunicornServer(env=env) as running:
        yield running


@pytest.fixture(scope="module")
def large(server: GunicornServer) -> str:
    """The path of an answer of 3 MB."""
    path = f"/api/tasks/{start_task(server, 'big_task')}/status"
    wait_until(
        lambda: json.loads(request(server.port, "GET", path).body)["status"] == "completed",
        "the result",
    )
    return path


@contextmanager
def growth(pid: int) -> Iterator[list[int]]:
    """Watch a process; yields one number: by how many bytes its memory has been larger."""
    before, peak, over = memory(pid), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], memory(pid) - before)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        over.set()
        watching.join()


@pytest.mark.parametrize(
    ("kind", "seconds", "megabytes"),
    [
        ("tiny_chunks", 2, 16),
        ("long_extensions", 2, 16),
        ("bad_json", 2, 16),
        ("bad_json_that_fits", 2, 16),
        # Two thousand connections, and the sockets' buffers of those that are being read.
        ("nowhere", 4, 96),
        # 64 MB of answers, and two thousand connections.
        ("slow_readers", 5, 160),
        ("unread_pipelines", 5, 160),
    ],
)
def test_flood(
    server: GunicornServer, large: str, kind: str, seconds: float, megabytes: int
) -> None:
    """The canary goes on being answered, memory is bounded, and the log is short."""
    request(server.port, "GET", large)
    lines = len(server.log)
    with growth(server.worker_pid()) as grown:
        seen = disturbance(server.port, lambda: attack(kind, server.port, large), seconds=seconds)
    print(f"{kind}: {seen}; {grown[0] / MEGABYTE:.0f} MB more")
    assert seen.failed == 0, seen
    assert seen.ratio < RATIO, seen
    assert grown[0] < megabytes * MEGABYTE
    assert "Traceback" not in server.log[lines:]
    wait_until(lambda: _is_idle(server), "the server to have let all of them go")


def _is_idle(server: GunicornServer) -> bool:
    time.sleep(0.1)
    return request(server.port, "GET", "/api/tasks").status == 200
