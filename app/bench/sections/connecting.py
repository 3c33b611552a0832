"""The section connects: new streams per second, memory of open streams, CPU of idle streams.

The limit is measured in turn: a bare gevent server that accepts, reads once, answers with fixed
bytes and keeps the socket. The ratio to it is one of CPU times, because the clients take a core for
themselves, and would limit the rate of the bare server.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median

from app.bench.bursts import CROWD, open_streams
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.bare_server import bare_server
from app.bench.measured.process_figures import cpu_nanoseconds, kib_each, resident_bytes
from app.bench.measured.server import MeasuredServer

__all__ = ["measure"]

_WARM_UP = 300
_SETTLE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Connects:
    """A number of connects to one server.

    Args:
        per_second: the connects per second.
        cpu_us: the CPU of the server for each connect, microseconds.
    """

    per_second: float
    cpu_us: float


def measure(context: BenchContext) -> None:
    """Open streams in steps, measure the worker's memory, then its CPU while it is idle."""
    plan, results = context.plan, context.results
    with (
        MeasuredBackend(HEARTBEAT_INTERVAL_SECONDS=str(plan.heartbeat_seconds)) as server,
        bare_server() as bare,
        Helper(CROWD) as crowd,
        Helper(CROWD) as bare_crowd,
    ):
        context.tell("connects: warming up")
        for clients, warmed in ((crowd, server), (bare_crowd, bare)):
            open_streams(clients, warmed.port, min(_WARM_UP, plan.many))
            clients.call("cut")
        time.sleep(_SETTLE_SECONDS)
        before = resident_bytes(server.worker)
        opened, ours, limits, per_stream = 0, [], [], 0.0
        for streams in plan.steps:
            context.tell(f"connects: {streams:,} streams")
            ours.append(_connect(crowd, server, streams - opened))
            limits.append(_connect_bare(bare_crowd, bare, streams - opened))
            opened = streams
            crowd.call("read", frames=0, seconds=_SETTLE_SECONDS)
            per_stream = kib_each(resident_bytes(server.worker) - before, opened)
            results.add_point("memory", streams, bytes_per_stream=1024 * per_stream)
        # The first step has too few streams for a good figure.
        _add_connects(context, ours[1:] or ours, limits[1:] or limits)
        results.add(
            "memory_per_stream_kib",
            f"memory per stream, {opened:,} streams, twelve headers",
            per_stream,
            "KiB",
        )
        context.tell(f"idle: {opened:,} streams for {plan.idle_seconds} s")
        used, started = cpu_nanoseconds(server.worker), time.monotonic()
        crowd.call("read", frames=0, seconds=float(plan.idle_seconds))
        used = cpu_nanoseconds(server.worker) - used
        results.add(
            "idle_cpu_percent",
            f"CPU of {opened:,} idle streams, heartbeat {plan.heartbeat_seconds} s",
            100 * used / 1e9 / (time.monotonic() - started),
            "% of a core",
        )
        crowd.call("cut")


def _connect(crowd: Helper, server: MeasuredServer, count: int) -> _Connects:
    used = cpu_nanoseconds(server.worker)
    seconds = open_streams(crowd, server.port, count)
    used = cpu_nanoseconds(server.worker) - used
    return _Connects(count / seconds, used / 1000 / count)


def _connect_bare(crowd: Helper, server: MeasuredServer, count: int) -> _Connects:
    connects = _connect(crowd, server, count)
    crowd.call("cut")
    server.request("GET", "/healthz")  # closes the sockets that it keeps
    return connects


def _add_connects(context: BenchContext, ours: list[_Connects], limits: list[_Connects]) -> None:
    add = context.results.add
    rates = [each.per_second for each in limits]
    add("bare_connects_per_second", "limit: a bare gevent server, connects", rates, "/s")
    rates = [each.per_second for each in ours]
    add("connects_per_second", "connects, with callback and version event", rates, "/s")
    add("bare_connect_cpu_us", "CPU of a connect, the limit", [e.cpu_us for e in limits], "µs")
    add("connect_cpu_us", "CPU of a connect", [e.cpu_us for e in ours], "µs")
    limit, own = median(each.cpu_us for each in limits), median(each.cpu_us for each in ours)
    # The kernel counts ticks of 10 ms, and a short run may have none.
    ratio = limit / own if own else 0.0
    add("connects_of_floor", "CPU of a connect: the limit, relative to ours", ratio)
