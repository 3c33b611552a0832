"""The faults of a worker and of a whole server, each as one function, and events through them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from tests.faults.nothing_missed.bad_network import bad_network
from tests.faults.nothing_missed.publisher import (
    Publisher,
    assert_nothing_missed,
    number_of,
    wait_for_ids,
)
from tests.support.processes.server import Server
from tests.support.resuming_client import ResumingClients
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = [
    "events_through",
    "hang_worker",
    "kill_all",
    "kill_arbiter",
    "kill_worker",
    "reload",
    "serving",
    "terminate",
]

_S = TypeVar("_S", bound=Server)


def newest_worker(server: Server) -> int:
    """Return the process id of the worker that was started last."""
    return int(server.wait_for_log(r"(?s:.*)Booting worker with pid: (\d+)")[1])


def wait_for_successor(server: Server, worker: int) -> None:
    """Wait until a worker has ended and another one was started."""
    wait_until(lambda: newest_worker(server) != worker, "the next worker")
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the end of the old worker")


def reload(server: Server) -> None:
    """Reload, and wait until the old worker has ended."""
    worker = newest_worker(server)
    server.send_signal(signal.SIGHUP)
    wait_for_successor(server, worker)


def kill_worker(server: Server) -> None:
    """Kill the worker, as the kernel does when memory runs out."""
    worker = newest_worker(server)
    os.kill(worker, signal.SIGKILL)
    wait_for_successor(server, worker)


def hang_worker(server: Server) -> None:
    """Stop the worker, and wait until the arbiter has noticed that and killed it."""
    worker = newest_worker(server)
    os.kill(worker, signal.SIGSTOP)
    wait_for_successor(server, worker)


def serving(port: int, env: Mapping[str, str]) -> Server:
    """Return a backend on a port."""
    command = [sys.executable, "-m", "app", "serve", "--port", "{port}"]
    return Server(command, env=env, port=port)


def terminate(server: Server) -> None:
    """Stop the server as a deployment does."""
    assert server.terminate() == 0


def kill_all(server: Server) -> None:
    """Kill the arbiter and the worker at the same moment, as a power failure does."""
    server.kill()


def kill_arbiter(server: Server) -> None:
    """Kill the arbiter alone, and wait until its worker has noticed that and ended."""
    worker = newest_worker(server)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(TIME_LIMIT)
    wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the end of the worker")


def events_through(
    server: _S, faults: Sequence[Callable[[_S], None]], clients_wanted: int, share: int
) -> int:
    """Publish to clients in a bad network while faults happen, and check that they miss nothing.

    Args:
        server: the server.
        faults: the faults, one after the other.
        clients_wanted: the number of clients.
        share: the smallest number of events during each fault.

    Returns:
        The number of events that the clients got, all together.
    """
    with (
        Publisher(server.port) as publisher,
        ResumingClients(server.port, clients_wanted, number_of) as clients,
    ):
        wait_for_ids(clients)
        with bad_network(clients):
            for fault in faults:
                with publisher.publishing(share):
                    fault(server)
        publisher.publish(1)
        count = clients_wanted * assert_nothing_missed(clients, publisher)
    assert count >= clients_wanted * share * len(faults)
    return count
