"""Two servers without a common folder share one Redis, while processes and Redis are killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.conftest import Tally
from tests.faults.nothing_missed.publisher import (
    Publisher,
    assert_nothing_missed,
    number_of,
    wait_for_ids,
)
from tests.support.http.client import request
from tests.support.processes.redis_server import RedisServer
from tests.support.processes.server import GunicornServer
from tests.support.resuming_client import ResumingClients
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")

CLIENTS = 60
SHARE = 100
"""The number of events that are published during one fault at least."""

MOVE_SECONDS = 0.1
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""With ``everysec``, a Redis that is killed while its disk is slow may lose a second."""


def env_of(redis: RedisServer, prefix: str = "sse") -> dict[str, str]:
    """Return the settings of a server."""
    return {
        "FLASK_ENV": "testing",
        "SSE_BUS_URL": redis.url,
        "SSE_BUS_PREFIX": prefix,
        # No fault takes so long, also on a busy machine.
        "SSE_BUS_TIMEOUT_SECONDS": "60",
    }


def carrier_of(server: GunicornServer, redis: RedisServer, before: int | None = None) -> int:
    """Return the worker that copies for a server: the one that waits for entries.

    Args:
        server: the server.
        redis: what it copies from.
        before: the worker that has copied before, and does no more.
    """

    def waiting() -> int | None:
        names = [client["name"] for client in redis.do("CLIENT LIST") if client["cmd"] == "xread"]
        pids = {int(name.rpartition("-")[2]) for name in names if name}
        found = (pids & set(server.worker_pids())) - {before}
        return found.pop() if len(found) == 1 else None

    return wait_until(waiting, "the carrier")


def is_ready(server: GunicornServer) -> bool:
    """Return True if a server can publish, and gets the events of the others."""
    return request(server.port, "GET", "/readyz").status == 200


@contextmanager
def moving(clients: ResumingClients, ports: list[int]) -> Iterator[None]:
    """Cut all clients again and again, and let them come back on the next server each time."""
    over = threading.Event()

    def run() -> None:
        turn = 0
        while not over.wait(MOVE_SECONDS):
            turn += 1
            clients.port = ports[turn % len(ports)]
            for client in clients.clients:
                clients.cut(client)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_crashes_under_load(tally: Tally) -> None:
    """Browsers of both servers get the same events in one order, whoever is killed.

    Some of them change the server again and again, most of the time in the middle of a replay.
    """
    with (
        RedisServer(DURABLE) as redis,
        GunicornServer(env=env_of(redis), workers=2) as here,
        GunicornServer(env=env_of(redis)) as there,
        Publisher(here.port, filling=2000) as publisher,
        ResumingClients(here.port, CLIENTS, number_of) as of_here,
        ResumingClients(there.port, CLIENTS, number_of) as of_there,
        # They read slowly, so a replay takes many turns.
        ResumingClients(here.port, CLIENTS, number_of, receive_buffer=4096) as travellers,
    ):
        groups = [of_here, of_there, travellers]
        for group in groups:
            wait_for_ids(group)
        ports = [there.port, here.port]
        with publisher.publishing(SHARE), moving(travellers, ports):
            carrier = carrier_of(here, redis)
            os.kill(carrier, signal.SIGKILL)
            carrier_of(here, redis, carrier)
        with publisher.publishing(SHARE), moving(travellers, ports):
            redis.kill()
            redis.start()
            wait_until(lambda: is_ready(here) and is_ready(there), "both servers")
        with publisher.publishing(SHARE), moving(travellers, ports):
            only = there.worker_pid()
            os.kill(only, signal.SIGKILL)
            redis.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            carrier_of(there, redis, only)
        publisher.publish(1)
        counts = [assert_nothing_missed(group, publisher) for group in groups]
    assert counts == counts[:1] * len(groups)
    assert counts[0] >= 3 * SHARE
    due = CLIENTS * sum(counts)
    tally(
        "two servers and Redis: SIGKILL of the carrier, of Redis, and of a worker under load;"
        f" {len(groups) * CLIENTS} streams, a third of which changes the server all the time",
        due,
        due,
        "nothing",
    )
