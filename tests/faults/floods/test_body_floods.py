"""Floods of expensive request bodies and of responses that are not read."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from app.bench.measured.process_figures import resident_bytes
from tests.faults.attacks.attack import Attack
from tests.faults.attacks.user_tasks import APP_TASKS
from tests.faults.canary.canary import MAX_RATIO, disturbance
from tests.faults.undisturbed import MEGABYTE
from tests.support.http.client import request
from tests.support.processes.server import GunicornServer
from tests.support.timing import wait_until

CALLBACK = "/api/sse/callback"
FAST = 100 * MEGABYTE
"""A rate that the attacker cannot exceed, in bytes per second."""


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend that the tests of this module share."""
    env = {"FLASK_ENV": "testing", "APP_TASKS": APP_TASKS}
    with GunicornServer(env=env) as running:
        yield running


@contextmanager
def growth(pid: int) -> Iterator[list[int]]:
    """Watch the memory of a process, and yield a list with its greatest growth in bytes."""
    before, peak, over = resident_bytes(pid), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], resident_bytes(pid) - before)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peak
    finally:
        over.set()
        watching.join()


@pytest.mark.parametrize(
    ("name", "options", "seconds", "megabytes"),
    [
        ("tiny_chunks", {"path": CALLBACK, "rate": FAST}, 1, 16),
        ("chunk_extensions", {"path": CALLBACK}, 1, 16),
        # The memory of 11,000 errors in one body, of which ten are reported.
        ("bad_json", {"rate": FAST}, 1, 40),
        # Two thousand connections, and the buffers of the sockets that are being read.
        ("posts_to_nowhere", {}, 2, 96),
        # 64 MB of responses, and two thousand connections.
        ("slow_readers", {"rate": 500}, 3.5, 160),
    ],
)
def test_flood(
    server: GunicornServer, name: str, options: dict[str, Any], seconds: float, megabytes: int
) -> None:
    """During a flood the canary gets its responses, memory is bounded, and the log has no error."""
    request(server.port, "GET", "/api/tasks")
    lines = len(server.log)
    with growth(server.worker_pid()) as grown:
        seen = disturbance(
            server.port, lambda: Attack(name, server.port, **options), seconds=seconds
        )
    print(f"{name}: {seen}; {grown[0] / MEGABYTE:.0f} MB more")
    assert seen.failed == 0, seen
    assert seen.ratio < MAX_RATIO, seen
    assert grown[0] < megabytes * MEGABYTE
    assert "Traceback" not in server.log[lines:]
    wait_until(lambda: _is_idle(server), "the server to have closed all connections")


def _is_idle(server: GunicornServer) -> bool:
    time.sleep(0.1)
    return request(server.port, "GET", "/api/tasks").status == 200
