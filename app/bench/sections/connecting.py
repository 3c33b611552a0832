"""Connects, what open streams keep, and what they cost while nothing happens."""

from __future__ import annotations

import time

from app.bench.clients.helper import Helper
from app.bench.measured.process_figures import cpu_seconds, resident_bytes
from app.bench.measured.server import Monolith
from app.bench.stage import CROWD, Stage, open_streams

__all__ = ["measure"]

_WARM_UP = 300
_SETTLE_SECONDS = 0.25


def measure(stage: Stage) -> None:
    """Open streams in steps, look at the worker's memory, then watch it idle."""
    plan, results = stage.plan, stage.results
    with (
        Monolith(HEARTBEAT_INTERVAL_SECONDS=str(plan.heartbeat_seconds)) as server,
        Helper(CROWD) as crowd,
    ):
        stage.tell("connects: warming up")
        open_streams(crowd, server.port, min(_WARM_UP, plan.many))
        crowd.call("cut")
        time.sleep(_SETTLE_SECONDS)
        before = resident_bytes(server.worker)
        opened, rates, per_stream = 0, [], 0.0
        for streams in plan.steps:
            stage.tell(f"connects: {streams:,} streams")
            seconds = open_streams(crowd, server.port, streams - opened)
            rates.append((streams - opened) / seconds)
            opened = streams
            crowd.call("read", frames=0, seconds=_SETTLE_SECONDS)
            per_stream = (resident_bytes(server.worker) - before) / opened
            results.add_point("memory", streams, bytes_per_stream=per_stream)
        results.add(
            "connects_per_second",
            "connects, with callback and version event",
            rates[1:] or rates,  # the few of the first step say little
            "/s",
        )
        results.add(
            "memory_per_stream_kib",
            f"memory per stream, {opened:,} streams, twelve headers",
            per_stream / 1024,
            "KiB",
        )
        stage.tell(f"idle: {opened:,} streams for {plan.idle_seconds} s")
        used, started = cpu_seconds(server.worker), time.monotonic()
        crowd.call("read", frames=0, seconds=float(plan.idle_seconds))
        used = cpu_seconds(server.worker) - used
        results.add(
            "idle_cpu_percent",
            f"CPU of {opened:,} idle streams, heartbeat {plan.heartbeat_seconds} s",
            100 * used / (time.monotonic() - started),
            "% of a core",
        )
        crowd.call("cut")
