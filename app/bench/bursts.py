"""Bursts of events from the backend to many clients, and the time that they take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.bench.clients.helper import Helper
from app.bench.measured.backend import MeasuredBackend

__all__ = [
    "BARE_SENDER",
    "CROWD",
    "OTHER_CLIENTS",
    "REST_SECONDS",
    "SECONDS",
    "WITHOUT_LOG",
    "TimedBurst",
    "backend_with_clients",
    "open_streams",
    "run_burst",
    "timed",
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

_AT_ONCE = 256
"""The number of streams that one process of clients opens at a time."""


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
def backend_with_clients(**settings: str) -> Iterator[tuple[MeasuredBackend, Helper]]:
    """Run a backend, and a process for its clients.

    Args:
        settings: the settings in the environment of the backend.
    """
    with MeasuredBackend(**settings) as server, Helper(CROWD) as crowd:
        yield server, crowd


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


def run_burst(server: MeasuredBackend, crowd: Helper, readers: int, events: int) -> TimedBurst:
    """Run a task that broadcasts as fast as possible, and time the arrival of its events.

    Args:
        server: the backend that runs the task.
        crowd: the clients that read.
        readers: the number of their streams.
        events: the number of progress events. The task's terminal event is sent in addition.
    """
    # task_started comes before the task reads its clock, so it does not count as a delivery.
    crowd.begin("read", frames=readers * (events + 2), seconds=SECONDS, rest=REST_SECONDS)
    task_id = server.start_burst(events)
    seen = crowd.finish()
    started_ns = server.burst_result(task_id)["started_ns"]
    return timed(seen, started_ns, readers * (events + 1))


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
