"""The section resume: all clients come back at once, each to get the events that it has missed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.bench.bursts import (
    CROWD,
    OTHER_CLIENTS,
    SECONDS,
    backend_with_clients,
    open_streams,
    run_burst,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import cpu_nanoseconds
from app.bench.measured.server import POLL_SECONDS
from app.bench.results.figures import quantile

__all__ = ["measure"]

_AT_ONCE = 1000
"""The connects that wait at a time. On a busy machine, the server closes some of many more: those
whose requests have not arrived yet (``MAX_REQUEST_CONNECTIONS``)."""

_LIVE_EVENTS = 24
"""The events while all clients come back. All of them get these events, too, so there are few."""

_SHORTEST_PAUSE_SECONDS = 0.02
_LONGER = 1.5
"""The factor by which the events last longer than the clients need to connect."""

_QUIET_SECONDS = 0.3


def measure(context: BenchContext) -> None:
    """Measure clients that resume, in turn with clients that connect without a cursor.

    One more client is connected all the time. It gets an event now and then, and the delay of
    these events shows whether the others are served at its expense.
    """
    plan, add = context.plan, context.results.add
    resumed: list[_Storm] = []
    connected: list[_Storm] = []
    with backend_with_clients() as (server, live), Helper(CROWD) as crowd:
        context.tell(f"resume: opening {plan.many:,} streams")
        open_streams(live, server.port, 1, first=OTHER_CLIENTS)
        open_streams(crowd, server.port, plan.many)
        usual = _storm(context, server, live, crowd, resume=False, pause=0.0)  # a warm-up
        pause = max(_LONGER * usual.seconds / _LIVE_EVENTS, _SHORTEST_PAUSE_SECONDS)
        for number in range(plan.resume_rounds):
            for resume, found in ((False, connected), (True, resumed)):
                context.tell(f"resume: {number + 1} of {plan.resume_rounds}")
                found.append(_storm(context, server, live, crowd, resume, pause))
    text = f"{plan.many:,} clients "
    add("connect_storm_seconds", text + "connect", [storm.seconds for storm in connected], "s")
    add(
        "resume_storm_seconds",
        f"{text}resume, {plan.missed_events} missed events each",
        [storm.seconds for storm in resumed],
        "s",
    )
    add(
        "resume_to_connect",
        "time to resume, relative to connecting",
        [with_.seconds / plain.seconds for with_, plain in zip(resumed, connected, strict=True)],
    )
    for kind, storms in (("connect", connected), ("resume", resumed)):
        cpu_ms = [storm.cpu_ns / 1e6 / plan.many for storm in storms]
        add(f"{kind}_cpu_ms", f"CPU of the server per client, when they {kind}", cpu_ms, "ms")
    for kind, storms in (("connect", connected), ("resume", resumed)):
        delays = [delay for storm in storms for delay in storm.delays_ms]
        add(
            f"{kind}_live_p99_ms",
            f"delay of an event to another client while they {kind}, p99",
            quantile(delays, 0.99),
            "ms",
        )


@dataclass(frozen=True, slots=True)
class _Storm:
    """All clients have connected at once.

    Args:
        seconds: the time until all had their version events.
        cpu_ns: the CPU time of the server, nanoseconds.
        delays_ms: the time from sending to arrival of the other client's events, milliseconds.
    """

    seconds: float
    cpu_ns: int
    delays_ms: list[float]


def _storm(
    context: BenchContext,
    server: MeasuredBackend,
    live: Helper,
    crowd: Helper,
    resume: bool,
    pause: float,
) -> _Storm:
    """Cut off all clients, let them miss events, and let them come back at once.

    Args:
        context: the context of the run.
        server: the backend.
        live: the process of the client that is not cut off.
        crowd: the process of the others.
        resume: whether the clients send their cursors.
        pause: the pause before each event for the client that is not cut off, seconds.

    Raises:
        BenchFailed: a client did not get all that it had missed.
    """
    plan = context.plan
    crowd.call("cut")
    while server.metric("sse_gateway_active_connections") > 1:
        time.sleep(POLL_SECONDS)
    run_burst(server, live, 1, plan.missed_events - 2)  # the task sends two events of its own
    live.begin("read", frames=_LIVE_EVENTS + 2, seconds=SECONDS, sample=True)
    server.start_burst(_LIVE_EVENTS, pause=pause)
    before = cpu_nanoseconds(server.worker)
    opened = crowd.call(
        "open", port=server.port, count=plan.many, at_once=_AT_ONCE, seconds=SECONDS, resume=resume
    )
    used = cpu_nanoseconds(server.worker) - before
    seen = live.finish()
    crowd.call("drain", quiet=_QUIET_SECONDS, seconds=SECONDS)
    if resume and opened["fewest_ids"] < plan.missed_events:
        raise BenchFailed(
            f"a client that resumed got {opened['fewest_ids']} of {plan.missed_events} events"
        )
    end_ns = opened["started_ns"] + opened["seconds"] * 1e9
    delays = zip(seen["sent_ns"], seen["latencies_ns"], strict=True)
    during = [delay for sent, delay in delays if opened["started_ns"] <= sent <= end_ns]
    # A short run may be over before the first event.
    delays_ms = [delay / 1e6 for delay in during or seen["latencies_ns"]]
    return _Storm(opened["seconds"], used, delays_ms)
