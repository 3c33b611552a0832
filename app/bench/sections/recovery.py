"""The section recovery: all clients lose their connections at once, and reconnect at once."""

from __future__ import annotations

from app.bench.bursts import CROWD, SECONDS, open_streams
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.backend import MeasuredBackend
from app.bench.storms import STORM_AT_ONCE

__all__ = ["measure"]


def measure(context: BenchContext) -> None:
    """Measure the time until every client has its version event again, under its old request ID.

    The connections are reset, as if a proxy had crashed. The server has to handle the ends of all
    streams and to open all new streams at the same time.
    """
    streams, seconds = context.plan.streams, []
    with MeasuredBackend() as server, Helper(CROWD) as crowd:
        context.tell(f"recovery: opening {streams:,} streams")
        open_streams(crowd, server.port, streams)
        for repetition in range(context.plan.repetitions):
            context.tell(f"recovery: {repetition + 1} of {context.plan.repetitions}")
            crowd.call("cut")
            answer = crowd.call(
                "open", port=server.port, count=streams, at_once=STORM_AT_ONCE, seconds=SECONDS
            )
            seconds.append(answer["seconds"])
        crowd.call("cut")
    context.results.add(
        "recovery_seconds",
        f"{streams:,} clients cut off: time until all have reconnected",
        seconds,
        "s",
    )
