"""The section connects: new streams per second, memory of open streams, CPU of idle streams."""

from __future__ import annotations

import time

from app.bench.bursts import CROWD, open_streams
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import cpu_nanoseconds, kib_each, resident_bytes

__all__ = ["measure"]

_WARM_UP = 300
_SETTLE_SECONDS = 0.25


def measure(context: BenchContext) -> None:
    """Open streams in steps, measure the worker's memory, then its CPU while it is idle."""
    plan, results = context.plan, context.results
    with (
        MeasuredBackend(HEARTBEAT_INTERVAL_SECONDS=str(plan.heartbeat_seconds)) as server,
        Helper(CROWD) as crowd,
    ):
        context.tell("connects: warming up")
        open_streams(crowd, server.port, min(_WARM_UP, plan.many))
        crowd.call("cut")
        time.sleep(_SETTLE_SECONDS)
        before = resident_bytes(server.worker)
        opened, rates, per_stream = 0, [], 0.0
        for streams in plan.steps:
            context.tell(f"connects: {streams:,} streams")
            seconds = open_streams(crowd, server.port, streams - opened)
            rates.append((streams - opened) / seconds)
            opened = streams
            crowd.call("read", frames=0, seconds=_SETTLE_SECONDS)
            per_stream = kib_each(resident_bytes(server.worker) - before, opened)
            results.add_point("memory", streams, bytes_per_stream=1024 * per_stream)
        results.add(
            "connects_per_second",
            "connects, with callback and version event",
            rates[1:] or rates,  # the first step has too few streams for a good figure
            "/s",
        )
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
