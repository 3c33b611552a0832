"""The section fan-out: broadcasts compared with a bare loop of ``send``, by number of streams."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from app.bench.bursts import (
    BARE_SENDER,
    CROWD,
    REST_SECONDS,
    SECONDS,
    WITHOUT_LOG,
    TimedBurst,
    backend_with_clients,
    open_streams,
    run_burst,
    timed,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.measured.backend import MeasuredBackend
from app.bench.results.figures import quantile

__all__ = ["measure"]

_PAUSE_PER_STREAM = 40e-6
_SHORTEST_PAUSE = 0.02
_FEWEST_PACED, _MOST_PACED = 2, 20
_BROADCAST_SECONDS = "sse_gateway_broadcast_duration_seconds_sum"


def measure(context: BenchContext) -> None:
    """Measure deliveries per second and latency with rising numbers of streams.

    The bare loop, which is the limit, is measured in turn with the backend. Each step opens more
    streams to the same backend, and as many plain connections to the bare loop. At the most
    important step, a backend without the event log is measured in turn with both.
    """
    costs: dict[int, _PacedFigures] = {}
    with (
        backend_with_clients() as (server, crowd),
        Helper(CROWD) as plain,
        Helper(BARE_SENDER) as sender,
    ):
        plain_port = sender.call("port")
        opened = 0
        for streams in context.plan.steps:
            context.tell(f"fan-out: opening {streams:,} streams")
            open_streams(crowd, server.port, streams - opened)
            sender.begin("accept", count=streams - opened)
            plain.call("attach", port=plain_port, count=streams - opened)
            sender.finish()
            opened = streams
            is_main = streams == context.plan.streams
            with ExitStack() as at_this_step:
                backends = [(server, crowd)]
                if is_main:
                    backends.append(at_this_step.enter_context(_without_log(streams)))
                (ours, *others), limit = _in_turn(context, backends, plain, sender, streams)
            paced = costs[streams] = _paced(context, server, crowd, plain, sender, streams)
            context.results.add_point(
                "fan_out",
                streams,
                per_second=statistics.median(burst.per_second for burst in ours),
                limit_per_second=statistics.median(burst.per_second for burst in limit),
                p50_ms=quantile(paced.latencies_ms, 0.5),
                p99_ms=quantile(paced.latencies_ms, 0.99),
                max_ms=max(paced.latencies_ms),
                cost_us=statistics.median(paced.costs_us),
                limit_cost_us=statistics.median(paced.limit_costs_us),
            )
            if is_main:
                _report(context, ours, limit, others[0], paced.latencies_ms)
                _report_client(context, ours + limit, plain, sender, streams)
    _report_cost(context, costs)


@contextmanager
def _without_log(streams: int) -> Iterator[tuple[MeasuredBackend, Helper]]:
    """Run a backend without the event log, and its clients."""
    with backend_with_clients(**WITHOUT_LOG) as (server, crowd):
        open_streams(crowd, server.port, streams)
        yield server, crowd


def _in_turn(
    context: BenchContext,
    backends: Sequence[tuple[MeasuredBackend, Helper]],
    plain: Helper,
    sender: Helper,
    streams: int,
) -> tuple[list[list[TimedBurst]], list[TimedBurst]]:
    """Run bursts of all kinds in turn, so that noise affects all kinds.

    Returns:
        The bursts of each backend, and the bursts of the bare loop.
    """
    ours: list[list[TimedBurst]] = [[] for _ in backends]
    limit = []
    events = context.plan.events_for(streams)
    repetitions = context.plan.repetitions
    if streams == context.plan.streams:
        repetitions *= 2  # because this is the most important figure
    for repetition in range(repetitions + 1):
        context.tell(f"fan-out: {streams:,} streams, {repetition} of {repetitions}")
        bare = _bare_burst(plain, sender, streams, events)
        own = [run_burst(server, crowd, streams, events) for server, crowd in backends]
        if repetition:  # the first bursts are a warm-up
            limit.append(bare)
            for bursts, burst in zip(ours, own, strict=True):
                bursts.append(burst)
    return ours, limit


def _bare_burst(plain: Helper, sender: Helper, streams: int, events: int) -> TimedBurst:
    plain.begin("read", frames=streams * events, seconds=SECONDS, rest=REST_SECONDS)
    sent = sender.call("send", events=events)
    return timed(plain.finish(), sent["started_ns"], streams * events)


@dataclass(slots=True)
class _PacedFigures:
    """The figures of paced broadcasts, each of which is read before the next one is sent.

    Args:
        latencies_ms: the time from sending to arrival on every stream, milliseconds.
        costs_us: the server's time for one delivery, microseconds; one value per round.
        limit_costs_us: the bare loop's time for one delivery, microseconds.
    """

    latencies_ms: list[float] = field(default_factory=list)
    costs_us: list[float] = field(default_factory=list)
    limit_costs_us: list[float] = field(default_factory=list)


def _paced(
    context: BenchContext,
    server: MeasuredBackend,
    crowd: Helper,
    plain: Helper,
    sender: Helper,
    streams: int,
) -> _PacedFigures:
    """Broadcast with pauses, in turn with the bare loop.

    Without pauses, an event often arrives before the event before it was read, and the more often
    the fewer streams there are. The kernel then need not wake the reader, so a delivery is less
    work. With pauses, a delivery is the same work for any number of streams, so that the costs can
    be compared.
    """
    found = _PacedFigures()
    events = max(_FEWEST_PACED, min(_MOST_PACED, context.plan.deliveries // 50 // streams))
    pause = max(_SHORTEST_PAUSE, streams * _PAUSE_PER_STREAM)
    for repetition in range(context.plan.repetitions):
        context.tell(f"fan-out: {streams:,} streams, paced, {repetition + 1}")
        plain.begin("read", frames=streams * events, seconds=SECONDS, sample=True)
        bare = sender.call("send", events=events, pause=pause)["seconds"]
        plain.finish()
        before = server.metric(_BROADCAST_SECONDS)
        crowd.begin("read", frames=streams * (events + 2), seconds=SECONDS, sample=True)
        task_id = server.start_burst(events, pause=pause)
        found.latencies_ms += [value / 1e6 for value in crowd.finish()["latencies_ns"]]
        server.burst_result(task_id)
        own = server.metric(_BROADCAST_SECONDS) - before
        found.costs_us.append(1e6 * own / (streams * (events + 2)))
        found.limit_costs_us.append(1e6 * bare / (streams * events))
    return found


def _report(
    context: BenchContext,
    ours: list[TimedBurst],
    limit: list[TimedBurst],
    without_log: list[TimedBurst],
    latencies: list[float],
) -> None:
    results, streams = context.results, f"{context.plan.streams:,} streams"
    results.add(
        "limit_per_second",
        f"limit: a bare loop of send, {streams}",
        [burst.per_second for burst in limit],
        "deliveries/s",
    )
    results.add(
        "fan_out_per_second",
        f"in-process: a task's progress to {streams}",
        [burst.per_second for burst in ours],
        "deliveries/s",
    )
    for key, text, bursts in (
        ("fan_out_to_limit", "in-process, relative to the limit", ours),
        ("fan_out_off_to_limit", "the same without the event log", without_log),
    ):
        ratios = [own.per_second / bare.per_second for own, bare in zip(bursts, limit, strict=True)]
        results.add(key, text, ratios)
    for name, value in (
        ("p50", quantile(latencies, 0.5)),
        ("p99", quantile(latencies, 0.99)),
        ("max", max(latencies)),
    ):
        results.add(
            f"broadcast_{name}_ms", f"latency of a broadcast, {streams}, {name}", value, "ms"
        )


def _report_client(
    context: BenchContext, bursts: list[TimedBurst], plain: Helper, sender: Helper, streams: int
) -> None:
    """Report the figures which show that the client was not the bottleneck."""
    context.results.add(
        "client_cpu_percent",
        "CPU of the client during these bursts",
        [100 * burst.client_share for burst in bursts],
        "% of a core",
    )
    rates = []
    for _ in range(context.plan.repetitions):
        sender.call("send", events=1)  # no client reads yet, so all bytes wait for the client
        seen = plain.call("read", frames=streams, seconds=SECONDS)
        rates.append(streams / seen["cpu_seconds"])
    context.results.add(
        "client_per_second", "reading rate of the client alone", rates, "deliveries/s"
    )


def _report_cost(context: BenchContext, costs: dict[int, _PacedFigures]) -> None:
    few, many = costs[context.plan.few], costs[context.plan.many]
    few_text, many_text = f"{context.plan.few:,} streams", f"{context.plan.many:,} streams"
    results = context.results
    few_us = results.add("cost_few_us", f"cost of a delivery, {few_text}", few.costs_us, "µs")
    many_us = results.add("cost_many_us", f"cost of a delivery, {many_text}", many.costs_us, "µs")
    results.add(
        "cost_many_to_few",
        f"cost of a delivery, {many_text} relative to {context.plan.few:,}",
        many_us / few_us,
    )
    results.add(
        "limit_cost_many_to_few",
        "the same ratio for the bare loop",
        statistics.median(many.limit_costs_us) / statistics.median(few.limit_costs_us),
    )
    # The ratio without pauses is reported, too, because it is larger: without pauses, the kernel
    # saves work for few streams.
    points = {point["streams"]: point for point in results.curves["fan_out"]}
    few_point, many_point = points[context.plan.few], points[context.plan.many]
    for key, text, name in (
        ("back_to_back_many_to_few", "the same ratio, events back to back", "per_second"),
        (
            "limit_back_to_back_many_to_few",
            "the same ratio for the bare loop, back to back",
            "limit_per_second",
        ),
    ):
        results.add(key, text, few_point[name] / many_point[name])
