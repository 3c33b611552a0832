"""The section workers: two workers compared with one, for connects and for deliveries.

Clients and servers share the cores of this machine, so two workers can never be twice as fast here:
the clients need their part. Therefore each comparison has two figures. One is what the clients saw.
The other one counts the CPU time of the worker that had most to do: it says how much faster two
workers are where clients and other processes do not take their cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.bench.bursts import (
    SECONDS,
    backend_with_clients,
    open_streams,
    run_burst,
    wait_for_streams,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import cpu_nanoseconds
from app.bench.measured.server import POLL_SECONDS

__all__ = ["measure"]

_WORKERS = 2


def measure(context: BenchContext) -> None:
    """Measure storms of connects, and bursts of events, with one worker and with two in turn."""
    plan, tell = context.plan, context.tell
    tell("workers: starting servers with one worker and with two")
    with (
        backend_with_clients() as one,
        backend_with_clients(WEB_CONCURRENCY=str(_WORKERS)) as two,
    ):
        _wait_for_workers(two[0])
        connects: tuple[list[_Work], list[_Work]] = ([], [])
        bursts: tuple[list[_Work], list[_Work]] = ([], [])
        shares: list[float] = []
        for number in range(plan.repetitions + 1):  # the first round is a warm-up
            for (server, crowd), connected, sent in zip((one, two), connects, bursts, strict=True):
                tell(f"workers: {len(server.workers)}, round {number} of {plan.repetitions}")
                connected.append(_storm(server, crowd, plan.streams))
                sent.append(_burst(server, crowd, plan.streams, plan.events_for(plan.streams)))
            shares.append(connects[1][-1].smallest_share)
    _report(context, "connects", "connects", connects)
    _report(context, "deliveries", "deliveries", bursts)
    context.results.add(
        "workers_smallest_share",
        f"{_WORKERS} workers, the smaller share of the work of connects",
        shares[1:],
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """Some work of a server.

    Args:
        per_second: the rate that the clients have seen.
        busiest_ns: the CPU time of the worker that had most to do, nanoseconds.
        smallest_share: the part of all CPU time that the worker with the least had.
    """

    per_second: float
    busiest_ns: int
    smallest_share: float


def _work(server: MeasuredBackend, run: Callable[[], float]) -> _Work:
    workers = server.workers
    before = [cpu_nanoseconds(pid) for pid in workers]
    per_second = run()
    used = [cpu_nanoseconds(pid) - start for pid, start in zip(workers, before, strict=True)]
    return _Work(per_second, max(used), min(used) / max(sum(used), 1))


def _storm(server: MeasuredBackend, crowd: Helper, streams: int) -> _Work:
    """Cut off all clients, and let them connect at once."""
    crowd.call("cut")
    wait_for_streams(server, 0)
    return _work(server, lambda: streams / open_streams(crowd, server.port, streams))


def _burst(server: MeasuredBackend, crowd: Helper, streams: int, events: int) -> _Work:
    return _work(server, lambda: run_burst(server, crowd, streams, events).per_second)


def _wait_for_workers(server: MeasuredBackend) -> None:
    """Wait until all workers serve."""
    deadline = time.monotonic() + SECONDS
    while server.metric("sse_workers") < _WORKERS:
        if time.monotonic() > deadline:
            raise BenchFailed(f"the server did not have {_WORKERS} workers after {SECONDS:g} s")
        time.sleep(POLL_SECONDS)


def _report(
    context: BenchContext, key: str, unit: str, work: tuple[Sequence[_Work], Sequence[_Work]]
) -> None:
    add = context.results.add
    one, two = work[0][1:], work[1][1:]
    add(f"workers_one_{key}", f"one worker, {unit}", [item.per_second for item in one], "/s")
    add(
        f"workers_two_{key}", f"{_WORKERS} workers, {unit}", [item.per_second for item in two], "/s"
    )
    pairs = list(zip(two, one, strict=True))
    add(
        f"workers_{key}_seen",
        f"{unit}, relative to one worker, as the clients saw it",
        [more.per_second / single.per_second for more, single in pairs],
    )
    add(
        f"workers_{key}_ratio",
        f"{unit}, relative to one worker, by the CPU time of the busiest",
        [single.busiest_ns / max(more.busiest_ns, 1) for more, single in pairs],
    )
