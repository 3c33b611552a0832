"""Bursts of events from the backend to many clients, and the time that they take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.server import POLL_SECONDS

__all__ = [
    "BARE_SENDER",
    "CROWD",
    "OTHER_CLIENTS",
    "REST_SECONDS",
    "SECONDS",
    "WITHOUT_LOG",
    "Site",
    "TimedBurst",
    "backend_with_clients",
    "latencies_ms",
    "open_streams",
    "run_burst",
    "timed",
    "wait_for_streams",
]

CROWD = "app.bench.clients.crowd"
"""The module of the clients' process."""

BARE_SENDER = "app.bench.clients.bare_sender"
"""The module of the process that sends in a bare loop."""

SECONDS = 120.0
"""The time limit of one step. A step that takes longer has failed."""

OTHER_CLIENTS = 1_000_000
"""The number of the first client of the second crowd of a server."""

REST_SECONDS = 0.002
"""The pause of a burst's clients between two reads: see :meth:`ClientCrowd.read`."""

WITHOUT_LOG = {"SSE_REPLAY": "off"}
"""The settings of a backend without the event log, for a comparison."""

_PAUSE_SECONDS = 0.005
"""The pause before each event whose latency is measured."""

_AT_ONCE = 256
"""The number of streams that one process of clients opens at a time."""


class Site(NamedTuple):
    """A backend, and a process for its clients.

    Args:
        server: the backend.
        crowd: the process.
    """

    server: MeasuredBackend
    crowd: Helper


@dataclass(frozen=True, slots=True)
class TimedBurst:
    """One burst as the clients saw it.

    Args:
        per_second: deliveries per second, from before the first event was made until the last
            event was read.
        client_share: the part of one core that reading took.
    """

    per_second: float
    client_share: float


@contextmanager
def backend_with_clients(**settings: str) -> Iterator[Site]:
    """Run a backend, and a process for its clients.

    Args:
        settings: the settings in the environment of the backend.
    """
    with MeasuredBackend(**settings) as server, Helper(CROWD) as crowd:
        yield Site(server, crowd)


def open_streams(
    crowd: Helper, port: int, count: int, *, stalled: bool = False, first: int = 0
) -> float:
    """Open streams, and return the seconds that this took (:meth:`ClientCrowd.open`)."""
    answer = crowd.call(
        "open",
        port=port,
        count=count,
        at_once=_AT_ONCE,
        seconds=SECONDS,
        stalled=stalled,
        first=first,
    )
    return float(answer["seconds"])


def wait_for_streams(server: MeasuredBackend, at_most: int) -> None:
    """Wait until a backend has noticed that clients have left.

    Args:
        server: the backend.
        at_most: the number of streams that may be left.

    Raises:
        BenchFailed: there were more streams until the time limit.
    """
    deadline = time.monotonic() + SECONDS
    while server.metric("sse_gateway_active_connections") > at_most:
        if time.monotonic() > deadline:
            raise BenchFailed("the server still had streams whose clients had left")
        time.sleep(POLL_SECONDS)


def run_burst(
    server: MeasuredBackend, crowd: Helper, readers: int, events: int, *, tasks: int = 1
) -> TimedBurst:
    """Run tasks that broadcast as fast as possible, and time the arrival of their events.

    Args:
        server: the backend that runs the tasks.
        crowd: the clients that read.
        readers: the number of their streams.
        events: the number of progress events of each task. Its terminal event is sent in addition.
        tasks: the number of tasks that run at the same time.
    """
    # task_started comes before the task reads its clock, so it does not count as a delivery.
    frames = readers * tasks * (events + 2)
    crowd.begin("read", frames=frames, seconds=SECONDS, rest=REST_SECONDS)
    task_ids = [server.start_burst(events) for _ in range(tasks)]
    seen = crowd.finish()
    started_ns = min(server.burst_result(task_id)["started_ns"] for task_id in task_ids)
    return timed(seen, started_ns, readers * tasks * (events + 1))


def latencies_ms(server: MeasuredBackend, crowd: Helper, events: int) -> list[float]:
    """Run a task that pauses before each event, and return the latencies of its events.

    Args:
        server: the backend that runs the task.
        crowd: one client, of this backend or of another one that gets the same events.
        events: the number of events.

    Returns:
        The times from the task's call, before the event is encoded, to the client's read,
        milliseconds.
    """
    crowd.begin("read", frames=events + 2, seconds=SECONDS, sample=True)
    server.start_burst(events, pause=_PAUSE_SECONDS)
    return [nanoseconds / 1e6 for nanoseconds in crowd.finish()["latencies_ns"]]


def timed(seen: dict[str, float], started_ns: float, deliveries: int) -> TimedBurst:
    """Compute the figures of a burst.

    Args:
        seen: the clients' answer to ``read``.
        started_ns: the monotonic clock before the first event, nanoseconds.
        deliveries: the number of deliveries.
    """
    seconds = (seen["last_ns"] - started_ns) / 1e9
    reading = max(seen["last_ns"] - seen["first_ns"], 1) / 1e9
    return TimedBurst(deliveries / seconds, seen["cpu_seconds"] / reading)
