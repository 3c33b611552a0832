"""Reloads and crashes of a server with several workers while it publishes to many clients."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Tally
from tests.faults.nothing_missed.worker_faults import events_through
from tests.support.processes.server import GunicornServer
from tests.support.timing import wait_until

CLIENTS = 200
EVENTS = 800
TIMEOUT = 15
"""The time after which gunicorn kills a worker that hangs, in seconds."""

ENV = {"FLASK_ENV": "testing", "SSE_DRAIN_RETRY_SECONDS": "0.1"}

Fault = Callable[[GunicornServer], None]


def wait_for_ends(server: GunicornServer, ended: list[int]) -> None:
    """Wait until some workers have ended, and others run in their place."""
    for pid in ended:
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), f"the end of {pid}")
    wait_until(lambda: not set(server.worker_pids()) & set(ended), "the next workers")


def reload(server: GunicornServer) -> None:
    """Replace all workers."""
    workers = server.worker_pids()
    server.send_signal(signal.SIGHUP)
    wait_for_ends(server, workers)


def kill_oldest(server: GunicornServer) -> None:
    """Kill one worker. The others go on."""
    oldest, *others = server.worker_pids()
    os.kill(oldest, signal.SIGKILL)
    wait_for_ends(server, [oldest])
    assert set(others) <= set(server.worker_pids())


def kill_all_but_one(server: GunicornServer) -> None:
    """Kill all workers but one at the same moment."""
    _, *others = server.worker_pids()
    for pid in others:
        os.kill(pid, signal.SIGKILL)
    wait_for_ends(server, others)


def kill_all(server: GunicornServer) -> None:
    """Kill all workers at the same moment. The arbiter goes on."""
    workers = server.worker_pids()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_for_ends(server, workers)


def hang_one(server: GunicornServer) -> None:
    """Stop one worker until the arbiter has killed it, and kill the other one meanwhile.

    The successor of the killed one must not wait for the one that hangs.
    """
    hanging, *others = server.worker_pids()
    os.kill(hanging, signal.SIGSTOP)
    os.kill(others[0], signal.SIGKILL)
    wait_for_ends(server, others[:1])
    assert hanging in server.worker_pids()
    wait_for_ends(server, [hanging])


TWO: list[Fault] = [hang_one, reload, kill_all, kill_oldest, reload, kill_oldest]
FOUR: list[Fault] = [kill_all_but_one, reload, kill_oldest]


@pytest.mark.parametrize(
    ("workers", "faults", "clients_wanted"), [(2, TWO, CLIENTS), (4, FOUR, CLIENTS // 2)]
)
def test_reloads_and_crashes(
    workers: int, faults: list[Fault], clients_wanted: int, tally: Tally
) -> None:
    """No client misses an event, whichever worker it comes back to, and gets none twice."""
    share = -(-EVENTS // len(TWO))
    with GunicornServer("--timeout", str(TIMEOUT), env=ENV, workers=workers) as server:
        count = events_through(server, faults, clients_wanted, share)
    names = [fault.__name__.replace("_", " ") for fault in dict.fromkeys(faults)]
    tally(
        f"{workers} workers: {', '.join(names)}, {clients_wanted} streams in a bad network",
        count,
        count,
        "nothing",
    )
