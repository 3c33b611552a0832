"""All clients are cut off at once, and all come back at once."""

from __future__ import annotations

from app.bench.clients.helper import Helper
from app.bench.measured.server import Monolith
from app.bench.stage import CROWD, SECONDS, Stage, open_streams

__all__ = ["measure"]


def measure(stage: Stage) -> None:
    """Measure until every client has its version event again, under its old request id.

    The connections are reset, as when a proxy dies: the server learns of all the ends and has
    to open all the new streams at the same time.
    """
    streams, seconds = stage.plan.streams, []
    with Monolith() as server, Helper(CROWD) as crowd:
        stage.tell(f"recovery: opening {streams:,} streams")
        open_streams(crowd, server.port, streams)
        for repetition in range(stage.plan.repetitions):
            stage.tell(f"recovery: {repetition + 1} of {stage.plan.repetitions}")
            crowd.call("cut")
            answer = crowd.call(
                "open", port=server.port, count=streams, at_once=streams, seconds=SECONDS
            )
            seconds.append(answer["seconds"])
        crowd.call("cut")
    stage.results.add(
        "recovery_seconds", f"{streams:,} clients cut off: until all are back", seconds, "s"
    )
