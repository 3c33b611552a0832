"""The section redis: what it costs that Redis orders the events, and a move to another server."""

from __future__ import annotations

from app.bench.bursts import (
    CROWD,
    Site,
    backend_with_clients,
    latencies_ms,
    open_streams,
    run_burst,
    wait_for_streams,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.redis_server import MeasuredRedis, redis_problem
from app.bench.results.figures import quantile
from app.bench.sections import bus_cost
from app.bench.storms import measure_storms

__all__ = ["measure"]

_ROUNDS = 4


def measure(context: BenchContext) -> None:
    """Measure one server with Redis and one without in turn, then two servers that share a Redis.

    The second server starts when the first one has been measured. On two machines, it would not
    take the cores of the first one.

    Raises:
        BenchFailed: there is no redis-server, or a client did not get all that it had missed.
    """
    problem = redis_problem()
    if problem is not None:
        raise BenchFailed(f"the section redis cannot run: {problem}")
    context.tell("redis: starting redis-server, and servers with it and without it")
    tasks = {"TASK_MAX_WORKERS": str(bus_cost.TASKS)}
    with MeasuredRedis() as redis:
        settings = tasks | redis.settings
        with backend_with_clients(**settings) as first:
            with backend_with_clients(**tasks) as alone:
                _measure_latency(context, first, alone)
                _measure_fan_out(context, first, alone)
            with backend_with_clients(**settings) as second:
                _measure_way(context, first, second)
                bus_cost.measure(context, redis, first, second)
                with Helper(CROWD) as crowd:
                    measure_storms(context, "redis", [first, second], crowd, "redis_")


def _measure_latency(context: BenchContext, first: Site, alone: Site) -> None:
    """Measure one event to one stream of an idle server, with Redis and without in turn."""
    events = context.plan.single_events // _ROUNDS
    found: list[float] = []
    without: list[float] = []
    for site in (first, alone):
        open_streams(site.crowd, site.server.port, 1)
    for number in range(_ROUNDS):
        context.tell(f"redis: {events} events to one stream, {number + 1} of {_ROUNDS}")
        found += latencies_ms(first.server, first.crowd, events)
        without += latencies_ms(alone.server, alone.crowd, events)
    for site in (first, alone):
        _cut(site)
    add = context.results.add
    text = "with Redis: one event, one stream, write to read, "
    p50 = add("redis_p50_ms", text + "p50", quantile(found, 0.5), "ms")
    add("redis_p99_ms", text + "p99", quantile(found, 0.99), "ms")
    off = add("redis_off_p50_ms", "the same without Redis, p50", quantile(without, 0.5), "ms")
    add("redis_added_p50_ms", "what Redis adds, p50", p50 - off, "ms")


def _measure_fan_out(context: BenchContext, first: Site, alone: Site) -> None:
    """Measure broadcasts to many streams, with Redis and without in turn."""
    plan = context.plan
    context.tell(f"redis: opening {plan.streams:,} streams, with Redis and without")
    for site in (first, alone):
        open_streams(site.crowd, site.server.port, plan.streams)
    ratios = []
    for number in range(plan.repetitions + 1):  # the first round is a warm-up
        context.tell(f"redis: {plan.streams:,} streams, {number} of {plan.repetitions}")
        with_, without = (
            run_burst(*site, plan.streams, plan.events_for(plan.streams)).per_second
            for site in (first, alone)
        )
        ratios.append(with_ / without)
    for site in (first, alone):
        _cut(site)
    context.results.add(
        "redis_to_without",
        f"with Redis: deliveries to {plan.streams:,} streams, relative to without",
        ratios[1:],
    )


def _measure_way(context: BenchContext, first: Site, second: Site) -> None:
    """Measure one event of the first server to one stream of the second one."""
    events = context.plan.single_events // 2
    context.tell(f"redis: {events} events from one server to a stream of another one")
    open_streams(second.crowd, second.server.port, 1)
    found = latencies_ms(first.server, second.crowd, events)
    _cut(second)
    text = "with Redis: one event to a stream of another server, "
    context.results.add("redis_way_p50_ms", text + "p50", quantile(found, 0.5), "ms")
    context.results.add("redis_way_p99_ms", text + "p99", quantile(found, 0.99), "ms")


def _cut(site: Site) -> None:
    """Cut off the clients of a server, and wait until it has noticed that."""
    site.crowd.call("cut")
    wait_for_streams(site.server, 0)
