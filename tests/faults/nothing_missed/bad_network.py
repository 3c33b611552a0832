"""A bad network: connections break, and clients stop reading for a while."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.resuming_client import ResumingClient, ResumingClients
from tests.support.timing import TIME_LIMIT

__all__ = ["bad_network"]

_EVERY = 0.02
"""The time between two disturbances, in seconds."""

_STALL = 25
"""The number of disturbances for which a client does not read."""


@contextmanager
def bad_network(clients: ResumingClients) -> Iterator[None]:
    """Disturb one client after another during the block.

    A client in a random order has its connection closed or reset, or reads nothing for half a
    second. At the end of the block all clients read again.
    """
    seed = random.randrange(10**6)
    print(f"seed of the network {seed}")  # pytest shows it if the test fails
    chosen = random.Random(seed)
    over = threading.Event()
    stalled: list[ResumingClient] = []

    def run() -> None:
        while not over.wait(_EVERY):
            client = chosen.choice(clients.clients)
            if chosen.random() < 0.5:
                clients.cut(client, reset=chosen.random() < 0.5)
            elif client not in stalled:
                clients.stop_reading(client)
                stalled.append(client)
            if len(stalled) > _STALL:
                clients.go_on_reading(stalled.pop(0))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(TIME_LIMIT)
        for client in stalled:
            clients.go_on_reading(client)
