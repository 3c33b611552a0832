"""A part of the section redis: the CPU time of an event, and the rate of appends."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.bench.bursts import SECONDS, Site, open_streams, run_burst, wait_for_streams
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import cpu_nanoseconds
from app.bench.measured.redis_server import MeasuredRedis

__all__ = ["TASKS", "measure"]

TASKS = 16
"""The number of tasks that append at the same time. Their events share requests to Redis."""

_SETTLE_SECONDS = 0.1


@dataclass(slots=True)
class _Cost:
    """The cost of the events of several bursts.

    Args:
        events: the number of all events.
        carrier_ns: the CPU time of the server that only copies them, nanoseconds.
        redis_ns: the CPU time of redis-server, which has two servers to send them to, nanoseconds.
        per_second: the rate of appends of each burst.
    """

    events: int
    carrier_ns: int
    redis_ns: int
    per_second: list[float]


def measure(context: BenchContext, redis: MeasuredRedis, first: Site, second: Site) -> None:
    """Measure bursts that the first server appends, and the second one, without streams, copies.

    Args:
        context: the context of the run.
        redis: the Redis of both.
        first: the server that runs the tasks, without streams.
        second: the server that copies, without streams.

    Raises:
        BenchFailed: the events did not arrive at the second server.
    """
    rounds = context.plan.repetitions
    costs = {1: _Cost(0, 0, 0, []), TASKS: _Cost(0, 0, 0, [])}
    open_streams(first.crowd, first.server.port, 1)
    for number in range(rounds):
        for tasks, cost in costs.items():
            context.tell(f"redis: cost of an event, {tasks} at a time, {number + 1} of {rounds}")
            _add_burst(context, cost, tasks, redis, first, second.server)
    first.crowd.call("cut")
    wait_for_streams(first.server, 0)
    for tasks, cost in costs.items():
        _report(context, tasks, cost)


def _add_burst(
    context: BenchContext,
    cost: _Cost,
    tasks: int,
    redis: MeasuredRedis,
    first: Site,
    second: MeasuredBackend,
) -> None:
    events = context.plan.bus_events // tasks
    pids = second.worker, redis.pid
    before = [cpu_nanoseconds(pid) for pid in pids]
    start = first.server.metric("sse_log_newest_position")
    burst = run_burst(*first, 1, events, tasks=tasks)
    newest = first.server.metric("sse_log_newest_position")
    carrier_ns, redis_ns = (
        after - start for start, after in zip(before, _cpu_at(second, newest, pids), strict=True)
    )
    cost.events += int(newest - start)
    cost.carrier_ns += carrier_ns
    cost.redis_ns += redis_ns
    cost.per_second.append(burst.per_second)


def _cpu_at(server: MeasuredBackend, newest: float, pids: tuple[int, int]) -> list[int]:
    """Wait until a server has copied an event, and return CPU times of that moment.

    Raises:
        BenchFailed: the event did not arrive.
    """
    deadline = time.monotonic() + SECONDS
    while True:
        # Rarely, because each look takes CPU time of the server. Usually the first one suffices.
        time.sleep(_SETTLE_SECONDS)
        used = [cpu_nanoseconds(pid) for pid in pids]
        if server.metric("sse_log_newest_position") >= newest:
            return used
        if time.monotonic() > deadline:
            raise BenchFailed(f"events in Redis had not arrived at a server after {SECONDS:g} s")


def _report(context: BenchContext, tasks: int, cost: _Cost) -> None:
    add = context.results.add
    key, text = ("", "one at a time") if tasks == 1 else ("parallel_", f"{tasks} at a time")
    add(
        f"redis_{key}appends_per_second",
        f"with Redis: events of one server, {text}",
        cost.per_second,
        "/s",
    )
    for name, what, used in (
        ("carrier", "CPU of another server that copies them", cost.carrier_ns),
        ("server", "CPU of redis-server", cost.redis_ns),
    ):
        add(f"redis_{key}{name}_us", f"{what}, per event", used / 1e3 / cost.events, "µs")
