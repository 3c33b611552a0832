"""The section slow-consumers: the effect of stalled clients, a fifth of all, on the others."""

from __future__ import annotations

from app.bench.bursts import CROWD, OTHER_CLIENTS, SECONDS, open_streams, run_burst
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend

__all__ = ["measure"]

_STALLED_PART = 5
_FILLING_BYTES = 200_000
_MOST_FILLINGS = 8
_TIMES_FULL = 3


def measure(context: BenchContext) -> None:
    """Measure deliveries per second with and without stalled clients, in turn, on two servers."""
    plan = context.plan
    count = plan.streams // _STALLED_PART
    readers = plan.streams - count
    events = plan.events_for(plan.streams)
    with (
        MeasuredBackend() as usual,
        MeasuredBackend() as troubled,
        Helper(CROWD) as usual_crowd,
        Helper(CROWD) as readers_crowd,
        Helper(CROWD) as stalled_crowd,
    ):
        context.tell(f"slow consumers: opening {plan.streams:,} streams, twice")
        open_streams(usual_crowd, usual.port, plan.streams)
        # The streams are opened in turn, so that stalled clients are spread among the others.
        for part in range(_STALLED_PART):
            open_streams(readers_crowd, troubled.port, _share(readers, part))
            share = _share(count, part)
            open_streams(stalled_crowd, troubled.port, share, stalled=True, first=OTHER_CLIENTS)
        context.tell(f"slow consumers: filling the buffers of {count:,}")
        _fill(troubled, readers_crowd, readers, count)
        ratios = []
        for repetition in range(plan.repetitions + 1):
            context.tell(f"slow consumers: {repetition} of {plan.repetitions}")
            without_stalled = run_burst(usual, usual_crowd, plan.streams, events).per_second
            with_stalled = run_burst(troubled, readers_crowd, readers, events).per_second
            if repetition:  # the first bursts are a warm-up
                ratios.append(with_stalled / without_stalled)
        if troubled.streams_behind() < count:
            raise BenchFailed("stalled clients did not stay stalled while they were being measured")
        for crowd in (usual_crowd, readers_crowd, stalled_crowd):
            crowd.call("cut")
    context.results.add(
        "stalled_to_without",
        f"{count:,} of {plan.streams:,} stalled: rate of the others, relative to none stalled",
        ratios,
    )


def _share(count: int, part: int) -> int:
    """Return the part of ``count`` that belongs to one of the equal parts."""
    return count * (part + 1) // _STALLED_PART - count * part // _STALLED_PART


def _fill(server: MeasuredBackend, crowd: Helper, readers: int, count: int) -> None:
    """Send large events until the kernel takes nothing more for the stalled clients.

    The kernel may give a connection more memory a moment after it was full. So the clients must
    be behind after the next large event, too.

    Raises:
        BenchFailed: the kernel's buffers do not fill.
    """
    times = 0
    for _ in range(_MOST_FILLINGS):
        crowd.begin("read", frames=readers * 2, seconds=SECONDS)
        task_id = server.start_burst(0, result_bytes=_FILLING_BYTES)
        crowd.finish()
        server.burst_result(task_id)
        times = times + 1 if server.streams_behind() >= count else 0
        if times == _TIMES_FULL:
            return
    raise BenchFailed("the kernel's buffers for the stalled clients do not fill")
