"""Slow consumers: a fifth of the clients stops reading; what do the others notice?"""

from __future__ import annotations

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
from app.bench.measured.server import Monolith
from app.bench.stage import CROWD, SECONDS, Stage, open_streams, run_burst

__all__ = ["measure"]

_STALLED_PART = 5
_FILLING_BYTES = 200_000
_FULL_BYTES = 32_768
_MOST_FILLINGS = 4


def measure(stage: Stage) -> None:
    """Measure deliveries a second with and without stalled clients, in turn, on two servers."""
    plan = stage.plan
    count = plan.streams // _STALLED_PART
    readers = plan.streams - count
    events = plan.events_for(plan.streams)
    with (
        Monolith() as usual,
        Monolith() as troubled,
        Helper(CROWD) as usual_crowd,
        Helper(CROWD) as readers_crowd,
        Helper(CROWD) as stalled_crowd,
    ):
        stage.tell(f"slow consumers: opening {plan.streams:,} streams, twice")
        open_streams(usual_crowd, usual.port, plan.streams)
        # In turn, so that the stalled ones are spread among the others.
        for part in range(_STALLED_PART):
            open_streams(readers_crowd, troubled.port, _share(readers, part))
            open_streams(stalled_crowd, troubled.port, _share(count, part), stalled=True)
        stage.tell(f"slow consumers: filling the buffers of {count:,}")
        _fill(troubled, readers_crowd, readers, count)
        without, ratios = [], []
        for repetition in range(plan.repetitions + 1):
            stage.tell(f"slow consumers: {repetition} of {plan.repetitions}")
            fair = run_burst(usual, usual_crowd, plan.streams, events).per_second
            hampered = run_burst(troubled, readers_crowd, readers, events).per_second
            if repetition:  # the first one warms up
                without.append(fair)
                ratios.append(hampered / fair)
        buffered = troubled.metric("sse_gateway_bytes_buffered") / count
        if troubled.metric("sse_gateway_slow_consumers_total"):
            raise BenchFailed("stalled clients were ended while they were being measured")
        for crowd in (usual_crowd, readers_crowd, stalled_crowd):
            crowd.call("cut")
    stage.results.add(
        "stalled_to_without",
        f"{count:,} of {plan.streams:,} stalled: deliveries/s to the others, to without",
        ratios,
    )
    stage.results.add(
        "stalled_buffered_kib", "what waits for each stalled client", buffered / 1024, "KiB"
    )


def _share(count: int, part: int) -> int:
    """How many of ``count`` belong to one of the parts."""
    return count * (part + 1) // _STALLED_PART - count * part // _STALLED_PART


def _fill(server: Monolith, crowd: Helper, readers: int, count: int) -> None:
    """Send large events until the stalled clients' kernels take no more, and see that it is so.

    Raises:
        BenchFailed: their buffers do not fill.
    """
    for _ in range(_MOST_FILLINGS):
        crowd.begin("read", frames=readers * 2, seconds=SECONDS)
        task_id = server.start_burst(0, result_bytes=_FILLING_BYTES)
        crowd.finish()
        server.burst_result(task_id)
        if server.metric("sse_gateway_bytes_buffered") >= _FULL_BYTES * count:
            return
    raise BenchFailed("the stalled clients' buffers do not fill")
