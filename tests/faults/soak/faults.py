"""The second part of the soak: reloads, crashes and restarts, one after the other at random."""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gateway_shim.parity.ports import free_port
from tests.faults.nothing_missed.bad_network import bad_network
from tests.faults.nothing_missed.publisher import (
    Publisher,
    assert_nothing_missed,
    number_of,
    wait_for_ids,
)
from tests.faults.nothing_missed.worker_faults import (
    kill_all,
    kill_arbiter,
    kill_worker,
    reload,
    serving,
    terminate,
)
from tests.support.resuming_client import ResumingClients

__all__ = ["FaultCounts", "soak_in_faults"]

CLIENTS = 50
EVENTS = 50
"""The number of events that are published beside each fault."""

_WORKER_FAULTS = (reload, kill_worker)
_SERVER_FAULTS = (terminate, kill_all, kill_arbiter)


@dataclass
class FaultCounts:
    """The counts of this part.

    Attributes:
        faults: reloads, crashes and restarts.
        events: events that were published, each for every client.
        state_bytes: the size of the state directory at the end, in bytes.
    """

    faults: int = 0
    events: int = 0
    state_bytes: int = 0


def soak_in_faults(seconds: float) -> FaultCounts:
    """Let one fault follow the other, and check after each that no client has missed an event.

    Args:
        seconds: the length of the run.

    Raises:
        AssertionError: a client has missed an event, or has it twice.
    """
    counts = FaultCounts()
    until = time.monotonic() + seconds
    port = free_port()
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()), "state")
        env = {
            "FLASK_ENV": "testing",
            "SSE_STATE_DIR": str(state),
            "SSE_DRAIN_RETRY_SECONDS": "0.1",
        }
        server = stack.enter_context(serving(port, env))
        publisher = stack.enter_context(Publisher(port))
        clients = stack.enter_context(ResumingClients(port, CLIENTS, number_of))
        wait_for_ids(clients)
        while time.monotonic() < until or not counts.faults:
            fault = random.choice(_WORKER_FAULTS + _SERVER_FAULTS)
            with bad_network(clients), publisher.publishing(EVENTS):
                fault(server)
                if fault in _SERVER_FAULTS:
                    server = stack.enter_context(serving(port, env))
            publisher.publish(1)
            counts.events = assert_nothing_missed(clients, publisher)
            counts.faults += 1
            print(f"{fault.__name__}: {counts.events} events, nothing missed", flush=True)
        files = [path for path in state.rglob("*") if path.is_file()]
        counts.state_bytes = sum(path.stat().st_size for path in files)
    return counts
