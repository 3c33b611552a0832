"""Reloads, crashes and restarts of the server while it publishes to many clients."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from gateway_shim.parity.ports import free_port
from tests.faults.conftest import Tally
from tests.faults.nothing_missed.bad_network import bad_network
from tests.faults.nothing_missed.publisher import (
    Publisher,
    assert_nothing_missed,
    number_of,
    wait_for_ids,
)
from tests.faults.nothing_missed.worker_faults import (
    events_through,
    hang_worker,
    kill_all,
    kill_arbiter,
    kill_worker,
    reload,
    serving,
    terminate,
)
from tests.support.processes.server import GunicornServer
from tests.support.resuming_client import ResumingClients

CLIENTS = 200
EVENTS = 1000
RELOADS = 10
KILLS = 5
TIMEOUT = 15
"""The time after which gunicorn kills a worker that hangs, in seconds.

A worker that starts on a busy machine, where all clients come back at once, may block for seconds.
If that took as long as this, it would be killed, too, and one worker more would be counted.
"""

ENV = {"FLASK_ENV": "testing", "SSE_DRAIN_RETRY_SECONDS": "0.1"}


def test_reloads_and_crashes_of_the_worker(tally: Tally) -> None:
    """Reloads, killed workers and one that hangs lose no event, without any setting."""
    # The hanging worker is the first, because the pauses after crashes double.
    faults = [hang_worker] + [reload] * RELOADS + [kill_worker] * KILLS
    share = -(-EVENTS // len(faults))
    with GunicornServer("--timeout", str(TIMEOUT), env=ENV) as server:
        count = events_through(server, faults, CLIENTS, share)
    assert server.log.count("Booting worker") == 1 + len(faults)
    tally(
        f"{RELOADS} reloads, {KILLS} SIGKILLs of the worker and one that hangs,"
        f" {CLIENTS} streams in a bad network",
        count,
        count,
        "nothing",
    )


def test_restarts(tmp_path: Path, tally: Tally) -> None:
    """With SSE_STATE_DIR, a restart loses no event, after an ordinary end or a crash."""
    env = {**ENV, "SSE_STATE_DIR": str(tmp_path / "state")}
    port = free_port()
    stops = (terminate, kill_all, kill_arbiter)
    with ExitStack() as stack:
        server = stack.enter_context(serving(port, env))
        publisher = stack.enter_context(Publisher(port))
        clients = stack.enter_context(ResumingClients(port, CLIENTS, number_of))
        wait_for_ids(clients)
        with bad_network(clients):
            for stop in stops:
                with publisher.publishing(-(-EVENTS // len(stops))):
                    stop(server)
                    server = stack.enter_context(serving(port, env))
        publisher.publish(1)
        count = CLIENTS * assert_nothing_missed(clients, publisher)
    assert count >= CLIENTS * EVENTS
    tally(
        f"{len(stops)} restarts with SSE_STATE_DIR: SIGTERM, SIGKILL of all processes and of the"
        f" arbiter, {CLIENTS} streams in a bad network",
        count,
        count,
        "nothing",
    )
