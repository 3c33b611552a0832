"""Broadcasts: the monolith beside the bare loop of ``send``, over the number of streams."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from app.bench.clients.helper import Helper
from app.bench.measured.server import Monolith
from app.bench.results.figures import quantile
from app.bench.stage import (
    BARE_SENDER,
    CROWD,
    REST_SECONDS,
    SECONDS,
    Burst,
    Stage,
    open_streams,
    run_burst,
    timed,
)

__all__ = ["measure"]

_PAUSE_PER_STREAM = 40e-6
_SHORTEST_PAUSE = 0.02
_FEWEST_PACED, _MOST_PACED = 2, 20
_BROADCAST_SECONDS = "sse_gateway_broadcast_duration_seconds_sum"


def measure(stage: Stage) -> None:
    """Measure deliveries a second and latency with more and more streams, in turn with the limit.

    Each step opens further streams in the same server, and as many plain connections.
    """
    costs: dict[int, _Paced] = {}
    with (
        Monolith() as server,
        Helper(CROWD) as crowd,
        Helper(CROWD) as plain,
        Helper(BARE_SENDER) as sender,
    ):
        plain_port = sender.call("port")
        opened = 0
        for streams in stage.plan.steps:
            stage.tell(f"fan-out: opening {streams:,} streams")
            open_streams(crowd, server.port, streams - opened)
            sender.begin("accept", count=streams - opened)
            plain.call("attach", port=plain_port, count=streams - opened)
            sender.finish()
            opened = streams
            ours, limit = _in_turn(stage, server, crowd, plain, sender, streams)
            paced = costs[streams] = _paced(stage, server, crowd, plain, sender, streams)
            stage.results.add_point(
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
            if streams == stage.plan.streams:
                _report(stage, ours, limit, paced.latencies_ms)
                _report_client(stage, ours + limit, plain, sender, streams)
    _report_cost(stage, costs)


def _in_turn(
    stage: Stage, server: Monolith, crowd: Helper, plain: Helper, sender: Helper, streams: int
) -> tuple[list[Burst], list[Burst]]:
    """Bursts of both kinds, one after the other, so that noise meets both."""
    ours, limit = [], []
    events = stage.plan.events_for(streams)
    repetitions = stage.plan.repetitions
    if streams == stage.plan.streams:
        repetitions *= 2  # the figure that matters most
    for repetition in range(repetitions + 1):
        stage.tell(f"fan-out: {streams:,} streams, {repetition} of {repetitions}")
        bare = _bare_burst(plain, sender, streams, events)
        own = run_burst(server, crowd, streams, events)
        if repetition:  # the first one warms up
            limit.append(bare)
            ours.append(own)
    return ours, limit


def _bare_burst(plain: Helper, sender: Helper, streams: int, events: int) -> Burst:
    plain.begin("read", frames=streams * events, seconds=SECONDS, rest=REST_SECONDS)
    sent = sender.call("send", events=events)
    return timed(plain.finish(), sent["started_ns"], streams * events)


@dataclass(slots=True)
class _Paced:
    """Broadcasts of which each has been read before the next one comes.

    Args:
        latencies_ms: from the sending to the arrival, of every stream.
        costs_us: what one delivery took the server, microseconds; a value a round.
        limit_costs_us: what it took the bare loop.
    """

    latencies_ms: list[float] = field(default_factory=list)
    costs_us: list[float] = field(default_factory=list)
    limit_costs_us: list[float] = field(default_factory=list)


def _paced(
    stage: Stage, server: Monolith, crowd: Helper, plain: Helper, sender: Helper, streams: int
) -> _Paced:
    """Broadcast with pauses, in turn with the limit.

    Back to back, the fewer streams there are the more often an event comes before the last one
    was read: the kernel then wakes nobody, and a delivery is less work. With pauses it is the
    same work for any number of streams, which is what a cost can be compared by.
    """
    found = _Paced()
    events = max(_FEWEST_PACED, min(_MOST_PACED, stage.plan.deliveries // 50 // streams))
    pause = max(_SHORTEST_PAUSE, streams * _PAUSE_PER_STREAM)
    for repetition in range(stage.plan.repetitions):
        stage.tell(f"fan-out: {streams:,} streams, paced, {repetition + 1}")
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


def _report(stage: Stage, ours: list[Burst], limit: list[Burst], latencies: list[float]) -> None:
    results, streams = stage.results, f"{stage.plan.streams:,} streams"
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
    results.add(
        "fan_out_to_limit",
        "in-process to limit",
        [own.per_second / bare.per_second for own, bare in zip(ours, limit, strict=True)],
    )
    for name, value in (
        ("p50", quantile(latencies, 0.5)),
        ("p99", quantile(latencies, 0.99)),
        ("max", max(latencies)),
    ):
        results.add(
            f"broadcast_{name}_ms", f"latency of a broadcast, {streams}, {name}", value, "ms"
        )


def _report_client(
    stage: Stage, bursts: list[Burst], plain: Helper, sender: Helper, streams: int
) -> None:
    """Show that the client is not what was measured."""
    stage.results.add(
        "client_cpu_percent",
        "the client's CPU meanwhile",
        [100 * burst.client_share for burst in bursts],
        "% of a core",
    )
    rates = []
    for _ in range(stage.plan.repetitions):
        sender.call("send", events=1)  # nobody reads now: all of it waits for the client
        seen = plain.call("read", frames=streams, seconds=SECONDS)
        rates.append(streams / seen["cpu_seconds"])
    stage.results.add(
        "client_per_second", "what the client reads if it is all there", rates, "deliveries/s"
    )


def _report_cost(stage: Stage, costs: dict[int, _Paced]) -> None:
    few, many = costs[stage.plan.few], costs[stage.plan.many]
    few_text, many_text = f"{stage.plan.few:,} streams", f"{stage.plan.many:,} streams"
    results = stage.results
    few_us = results.add("cost_few_us", f"cost of a delivery, {few_text}", few.costs_us, "µs")
    many_us = results.add("cost_many_us", f"cost of a delivery, {many_text}", many.costs_us, "µs")
    results.add(
        "cost_many_to_few",
        f"cost of a delivery, {many_text} to {stage.plan.few:,}",
        many_us / few_us,
    )
    results.add(
        "limit_cost_many_to_few",
        "the same of the bare loop",
        statistics.median(many.limit_costs_us) / statistics.median(few.limit_costs_us),
    )
    # Said as well, because it is the larger one: here the kernel saves work for few streams.
    points = {point["streams"]: point for point in results.curves["fan_out"]}
    few_point, many_point = points[stage.plan.few], points[stage.plan.many]
    for key, text, name in (
        ("back_to_back_many_to_few", "the same, events back to back", "per_second"),
        ("limit_back_to_back_many_to_few", "... of the bare loop", "limit_per_second"),
    ):
        results.add(key, text, few_point[name] / many_point[name])
