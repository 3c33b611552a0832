"""Bodies that cost more than their bytes, and answers that nobody reads: nobody else notices."""

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
"""Bytes a second: as many as the attacker can send."""


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """The backend; a module's tests share it."""
    env = {"FLASK_ENV": "testing", "APP_TASKS": APP_TASKS}
    with GunicornServer(env=env) as running:
        yield running


@contextmanager
def growth(pid: int) -> Iterator[list[int]]:
    """Watch a process; yields one number: by how many bytes its memory has been larger."""
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
        # Once: what 11,000 faults of one body take before ten of them are shown.
        ("bad_json", {"rate": FAST}, 1, 40),
        # Two thousand connections, and the sockets' buffers of those that are being read.
        ("posts_to_nowhere", {}, 2, 96),
        # 64 MB of answers, and two thousand connections.
        ("slow_readers", {"rate": 500}, 3.5, 160),
    ],
)
def test_flood(
    server: GunicornServer, name: str, options: dict[str, Any], seconds: float, megabytes: int
) -> None:
    """The canary goes on being answered, memory is bounded, and the log is short."""
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
    wait_until(lambda: _is_idle(server), "the server to have let all of them go")


def _is_idle(server: GunicornServer) -> bool:
    time.sleep(0.1)
    return request(server.port, "GET", "/api/tasks").status == 200
