"""One event to one stream on a server that has nothing else to do."""

from __future__ import annotations

from app.bench.clients.helper import Helper
from app.bench.measured.server import Monolith
from app.bench.results.figures import quantile
from app.bench.stage import CROWD, SECONDS, Stage, open_streams

__all__ = ["measure"]

_PAUSE_SECONDS = 0.005


def measure(stage: Stage) -> None:
    """Measure from the task's call, before anything is encoded, to the client's read."""
    events = stage.plan.single_events
    stage.tell(f"latency: {events} events to one stream")
    with Monolith() as server, Helper(CROWD) as crowd:
        open_streams(crowd, server.port, 1)
        crowd.begin("read", frames=events + 2, seconds=SECONDS, sample=True)
        server.start_burst(events, pause=_PAUSE_SECONDS)
        found = [nanoseconds / 1e6 for nanoseconds in crowd.finish()["latencies_ns"]]
    text = "one event, one stream, write to read, "
    stage.results.add("single_p50_ms", text + "p50", quantile(found, 0.5), "ms")
    stage.results.add("single_p99_ms", text + "p99", quantile(found, 0.99), "ms")
    stage.results.add("single_max_ms", text + "max", max(found), "ms")
