"""The section latency: one event to one stream of an idle server."""

from __future__ import annotations

from app.bench.bursts import CROWD, SECONDS, open_streams
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.backend import MeasuredBackend
from app.bench.results.figures import quantile

__all__ = ["measure"]

_PAUSE_SECONDS = 0.005


def measure(context: BenchContext) -> None:
    """Measure the time from the task's call, before the event is encoded, to the client's read."""
    events = context.plan.single_events
    context.tell(f"latency: {events} events to one stream")
    with MeasuredBackend() as server, Helper(CROWD) as crowd:
        open_streams(crowd, server.port, 1)
        crowd.begin("read", frames=events + 2, seconds=SECONDS, sample=True)
        server.start_burst(events, pause=_PAUSE_SECONDS)
        found = [nanoseconds / 1e6 for nanoseconds in crowd.finish()["latencies_ns"]]
    text = "one event, one stream, write to read, "
    context.results.add("single_p50_ms", text + "p50", quantile(found, 0.5), "ms")
    context.results.add("single_p99_ms", text + "p99", quantile(found, 0.99), "ms")
    context.results.add("single_max_ms", text + "max", max(found), "ms")
