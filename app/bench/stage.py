"""What every measurement needs: the plan, where results go, and how a burst is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.bench.clients.helper import Helper
from app.bench.measured.server import Monolith
from app.bench.plan import Plan
from app.bench.results.figures import Results

__all__ = [
    "BARE_SENDER",
    "CROWD",
    "REST_SECONDS",
    "SECONDS",
    "Burst",
    "Stage",
    "open_streams",
    "run_burst",
    "timed",
]

CROWD = "app.bench.clients.crowd"
BARE_SENDER = "app.bench.clients.bare_sender"

SECONDS = 120.0
"""Time limit of one step, from which something is wrong."""

REST_SECONDS = 0.002
"""How long the clients of a burst sleep between two looks: see :meth:`Crowd.read`."""

_AT_ONCE = 256
"""Streams that one client has on their way at a time."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a measurement takes place.

    Args:
        plan: how much is measured.
        results: where the figures go.
        tell: shows a person what is going on.
        gateway_command: starts the gateway of the HTTP path; None: the shim.
        certificate: certificate and key for TLS, as file names.
    """

    plan: Plan
    results: Results
    tell: Callable[[str], None]
    gateway_command: str | None = None
    certificate: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst, as it was seen by the clients.

    Args:
        per_second: deliveries, from before the first event was made until the last one was read.
        client_share: the part of one core that reading took.
    """

    per_second: float
    client_share: float


def open_streams(crowd: Helper, port: int, count: int, *, stalled: bool = False) -> float:
    """Open streams and return how many seconds that took."""
    answer = crowd.call(
        "open", port=port, count=count, at_once=_AT_ONCE, seconds=SECONDS, stalled=stalled
    )
    return float(answer["seconds"])


def run_burst(server: Monolith, crowd: Helper, readers: int, events: int) -> Burst:
    """Have a task broadcast as fast as it can, and time its arrival.

    Args:
        server: whose task it is.
        crowd: whose streams read.
        readers: how many.
        events: how many progress events; the task's own end is one more.
    """
    # task_started comes before the task's own clock is read, and is not among the deliveries.
    crowd.begin("read", frames=readers * (events + 2), seconds=SECONDS, rest=REST_SECONDS)
    task_id = server.start_burst(events)
    seen = crowd.finish()
    started_ns = server.burst_result(task_id)["started_ns"]
    return timed(seen, started_ns, readers * (events + 1))


def timed(seen: dict[str, float], started_ns: float, deliveries: int) -> Burst:
    """Make a burst of what a client has seen."""
    seconds = (seen["last_ns"] - started_ns) / 1e9
    reading = max(seen["last_ns"] - seen["first_ns"], 1) / 1e9
    return Burst(deliveries / seconds, seen["cpu_seconds"] / reading)
