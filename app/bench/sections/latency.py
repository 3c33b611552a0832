"""The section latency: one event to one stream of an idle server, with the log and without."""

from __future__ import annotations

from app.bench.bursts import WITHOUT_LOG, backend_with_clients, latencies_ms, open_streams
from app.bench.context import BenchContext
from app.bench.results.figures import quantile

__all__ = ["measure"]

_ROUNDS = 4


def measure(context: BenchContext) -> None:
    """Measure the time from the task's call, before the event is encoded, to the client's read.

    The servers with and without the event log are measured in turn.
    """
    events = context.plan.single_events // _ROUNDS
    found: list[float] = []
    without: list[float] = []
    with (
        backend_with_clients() as (server, crowd),
        backend_with_clients(**WITHOUT_LOG) as (plain_server, plain_crowd),
    ):
        open_streams(crowd, server.port, 1)
        open_streams(plain_crowd, plain_server.port, 1)
        for number in range(_ROUNDS):
            context.tell(f"latency: {events} events to one stream, {number + 1} of {_ROUNDS}")
            found += latencies_ms(server, crowd, events)
            without += latencies_ms(plain_server, plain_crowd, events)
    text = "one event, one stream, write to read, "
    context.results.add("single_p50_ms", text + "p50", quantile(found, 0.5), "ms")
    context.results.add("single_p99_ms", text + "p99", quantile(found, 0.99), "ms")
    context.results.add("single_max_ms", text + "max", max(found), "ms")
    context.results.add(
        "single_off_p50_ms", "the same without the event log, p50", quantile(without, 0.5), "ms"
    )
