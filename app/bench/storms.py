"""Storms: all clients come back at once, with the events that they have missed or without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.bench.bursts import (
    OTHER_CLIENTS,
    SECONDS,
    Site,
    open_streams,
    run_burst,
    wait_for_streams,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.process_figures import cpu_nanoseconds
from app.bench.results.figures import quantile

__all__ = ["STORM_AT_ONCE", "Storm", "measure_storms", "run_storm"]

STORM_AT_ONCE = 1000
"""The connects that wait at a time. Of many more, a server that accepts fast closes some: those
whose requests have not arrived yet (``MAX_REQUEST_CONNECTIONS``). Real clients send them at once,
but here one process connects for all."""

_LIVE_EVENTS = 24
"""The events while all clients come back. All of them get these events, too, so there are few."""

_SHORTEST_PAUSE_SECONDS = 0.02
_LONGER = 1.5
"""The factor by which the events last longer than the clients need to connect."""

_QUIET_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Storm:
    """All clients have connected at once.

    Args:
        seconds: the time until all had their version events.
        cpu_ns: the CPU time of the server, nanoseconds.
        delays_ms: the time from sending to arrival of the other client's events, milliseconds.
    """

    seconds: float
    cpu_ns: int
    delays_ms: list[float]


def measure_storms(
    context: BenchContext, section: str, sites: Sequence[Site], crowd: Helper, prefix: str = ""
) -> None:
    """Measure clients that resume, in turn with clients that connect without a cursor.

    One more client of each backend is connected all the time. It gets an event now and then, and
    the delay of these events shows whether the others are served at its expense.

    Args:
        context: the context of the run.
        section: the name of the section, for the progress.
        sites: the backends and their additional clients, without streams. The clients come back to
            the next backend each time; if there is only one, to that one.
        crowd: the process of the clients, without streams.
        prefix: what the keys of the figures begin with.

    Raises:
        BenchFailed: a client did not get all that it had missed.
    """
    plan = context.plan
    storms: dict[bool, list[Storm]] = {False: [], True: []}
    context.tell(f"{section}: opening {plan.many:,} streams")
    for number, (server, live) in enumerate(sites):
        open_streams(live, server.port, 1, first=OTHER_CLIENTS + number)
    open_streams(crowd, sites[0].server.port, plan.many)
    usual = run_storm(context, sites, crowd, 0, resume=False, pause=0.0)  # a warm-up
    pause = max(_LONGER * usual.seconds / _LIVE_EVENTS, _SHORTEST_PAUSE_SECONDS)
    number = 0
    for repetition in range(plan.resume_rounds):
        # The order changes, so that both kinds come to each of two backends.
        for resume in (False, True) if repetition % 2 == 0 else (True, False):
            context.tell(f"{section}: {repetition + 1} of {plan.resume_rounds}")
            number += 1
            storm = run_storm(context, sites, crowd, number, resume=resume, pause=pause)
            storms[resume].append(storm)
    _report(context, storms[False], storms[True], prefix, len(sites) > 1)


def run_storm(
    context: BenchContext,
    sites: Sequence[Site],
    crowd: Helper,
    number: int,
    *,
    resume: bool,
    pause: float,
) -> Storm:
    """Cut off all clients, let them miss events, and let them come back at once.

    Args:
        context: the context of the run.
        sites: the backends, and for each the process of the client that is not cut off.
        crowd: the process of the other clients.
        number: the number of the storm. Storm 0 leads from the first backend to the next.
        resume: whether the clients send their cursors.
        pause: the pause before each event for the client that is not cut off, seconds.

    Raises:
        BenchFailed: a client did not get all that it had missed.
    """
    plan = context.plan
    left, _ = sites[number % len(sites)]
    server, live = sites[(number + 1) % len(sites)]
    crowd.call("cut")
    wait_for_streams(left, 1)
    run_burst(left, live, 1, plan.missed_events - 2)  # the task sends two events of its own
    live.begin("read", frames=_LIVE_EVENTS + 2, seconds=SECONDS, sample=True)
    server.start_burst(_LIVE_EVENTS, pause=pause)
    before = cpu_nanoseconds(server.worker)
    opened = crowd.call(
        "open",
        port=server.port,
        count=plan.many,
        at_once=STORM_AT_ONCE,
        seconds=SECONDS,
        resume=resume,
    )
    used = cpu_nanoseconds(server.worker) - before
    seen = live.finish()
    # The clients that are not cut off at other backends have got the same events.
    reading = [crowd, *(site.crowd for site in sites)]
    for helper in reading:
        helper.begin("drain", quiet=_QUIET_SECONDS, seconds=SECONDS)
    for helper in reading:
        helper.finish()
    if resume and opened["fewest_ids"] < plan.missed_events:
        raise BenchFailed(
            f"a client that resumed got {opened['fewest_ids']} of {plan.missed_events} events"
        )
    end_ns = opened["started_ns"] + opened["seconds"] * 1e9
    delays = zip(seen["sent_ns"], seen["latencies_ns"], strict=True)
    during = [delay for sent, delay in delays if opened["started_ns"] <= sent <= end_ns]
    # A short run may be over before the first event.
    delays_ms = [delay / 1e6 for delay in during or seen["latencies_ns"]]
    return Storm(opened["seconds"], used, delays_ms)


def _report(
    context: BenchContext,
    connected: Sequence[Storm],
    resumed: Sequence[Storm],
    prefix: str,
    is_elsewhere: bool,
) -> None:
    plan, add = context.plan, context.results.add
    where = " to another server" if is_elsewhere else ""
    after = " there" if is_elsewhere else ""
    text = f"{plan.many:,} clients "
    seconds = [storm.seconds for storm in connected]
    add(f"{prefix}connect_storm_seconds", f"{text}connect{where}", seconds, "s")
    add(
        f"{prefix}resume_storm_seconds",
        f"{text}resume{after}, {plan.missed_events} missed events each",
        [storm.seconds for storm in resumed],
        "s",
    )
    add(
        f"{prefix}resume_to_connect",
        f"time to resume{after}, relative to connecting",
        [with_.seconds / plain.seconds for with_, plain in zip(resumed, connected, strict=True)],
    )
    for kind, storms in (("connect", connected), ("resume", resumed)):
        cpu_ms = [storm.cpu_ns / 1e6 / plan.many for storm in storms]
        text = f"CPU of the server per client, when they {kind}{after}"
        add(f"{prefix}{kind}_cpu_ms", text, cpu_ms, "ms")
    for kind, storms in (("connect", connected), ("resume", resumed)):
        delays = [delay for storm in storms for delay in storm.delays_ms]
        add(
            f"{prefix}{kind}_live_p99_ms",
            f"delay of an event to another client while they {kind}{after}, p99",
            quantile(delays, 0.99),
            "ms",
        )
