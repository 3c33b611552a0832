"""Adds up the metrics of several processes. Pure.

What a process has counted only grows, so the highest value that was seen of a process is the
newest, and what an ended process has counted stays in the sum. Gauges are of this moment: those of
ended processes are dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from app.services.metrics.families import Families, Family, SampleKey

__all__ = [
    "GAUGES",
    "add_counts",
    "message_counts",
    "newest_of",
    "per_worker",
    "sum_of",
    "worker_counts",
]

_COUNTED = frozenset({"counter", "histogram", "summary"})
_CREATED = "_created"
"""The suffix of the time at which a value began, seconds since 1970."""

_Rule = Callable[[Iterable[float]], float]

GAUGES: dict[str, _Rule] = {
    "process_virtual_memory_bytes": math.fsum,
    "process_resident_memory_bytes": math.fsum,
    # Of the worker that was started last: it changes when a worker is replaced.
    "process_start_time_seconds": max,
    # Each process has a limit of its own, so the fullest process counts.
    "process_open_fds": max,
    "process_max_fds": min,
    "build": max,
    "sse_gateway_active_connections": math.fsum,
    "sse_gateway_bytes_buffered": math.fsum,
    "sse_gateway_pending_connects": math.fsum,
    "sse_gateway_joiners": math.fsum,
    "sse_gateway_streams_behind": math.fsum,
    "sse_gateway_behind_bytes": max,
    # The workers share the log, and see the same of it within milliseconds.
    "sse_log_oldest_position": max,
    "sse_log_newest_position": max,
    "sse_log_bytes": max,
    "sse_log_oldest_age_seconds": min,
    "sse_log_in_memory": max,
    # Each worker has its own connection to Redis; one of them copies for all.
    "sse_bus_connected": min,
    "sse_bus_ready": min,
    "sse_bus_carriers": math.fsum,
    "sse_bus_lag_events": max,
    "sse_bus_appends_waiting": math.fsum,
    "tasks_active": math.fsum,
    "tasks_waiting": math.fsum,
    "event_loop_lag_seconds": max,
    "sse_worker_streams": math.fsum,
    "sse_worker_event_loop_lag_seconds": max,
    "sse_worker_resident_memory_bytes": math.fsum,
}
"""The way in which the values of several workers become one. Others are added."""

_PER_WORKER = {
    "sse_gateway_active_connections": (
        "sse_worker_streams",
        "Streams registered now, by worker",
    ),
    "event_loop_lag_seconds": (
        "sse_worker_event_loop_lag_seconds",
        "Longest time for which the event loop of a worker was busy, of the last tenth of a second",
    ),
    "event_loop_blocked_seconds": (
        "sse_worker_event_loop_blocked_seconds",
        "Seconds for which the event loop of a worker was blocked",
    ),
    "process_resident_memory_bytes": (
        "sse_worker_resident_memory_bytes",
        "Resident memory of a worker in bytes",
    ),
    "process_cpu_seconds": (
        "sse_worker_cpu_seconds",
        "User and system CPU time that a worker has spent in seconds",
    ),
}
"""The metrics that are shown of each worker: metric → the name for one worker, and its help."""


def per_worker(families: Families, number: int) -> Families:
    """Return what is shown of one worker beside the sums, under other names and with its number.

    The names differ, so that a sum over all series of a name does not count anything twice.

    Args:
        families: the metrics of the worker's process.
        number: the number of the worker.
    """
    found: Families = {}
    for name, (own_name, text) in _PER_WORKER.items():
        family = families.get(name)
        if family is None:  # this system does not tell, for example without /proc
            continue
        own = Family(own_name, family.kind, text)
        for key, value in family.values.items():
            suffix = key.name.removeprefix(name)
            if suffix != _CREATED:
                own.values[SampleKey(own_name + suffix, (("worker", str(number)),))] = value
        found[own_name] = own
    return found


def worker_counts(*, expected: int, running: int, silent: int) -> Families:
    """Return the numbers of workers, which only a server with several shows.

    Args:
        expected: the workers that the server should have.
        running: the worker processes that run.
        silent: those of them that have not answered in time.
    """
    return {
        name: Family(name, "gauge", text, {SampleKey(name): float(value)})
        for name, text, value in (
            ("sse_workers_expected", "Workers that the server should have", expected),
            ("sse_workers", "Worker processes that run; more than expected in a reload", running),
            (
                "sse_workers_silent",
                "Workers that did not answer this scrape in time; their last figures are used",
                silent,
            ),
        )
    }


def message_counts(counts: Mapping[str, int]) -> Families:
    """Return the messages between workers, which only a server with several shows.

    Args:
        counts: the number of messages by what has happened to them.
    """
    family = Family(
        "sse_worker_messages",
        "counter",
        "Messages between the workers, by what has happened to them",
        {
            SampleKey("sse_worker_messages_total", (("outcome", outcome),)): float(count)
            for outcome, count in counts.items()
        },
    )
    return {family.name: family}


def newest_of(before: Families, now: Families) -> Families:
    """Return the newer one of two readings of the same process, of which either may be older.

    Args:
        before: a reading; it may be empty.
        now: another one. Its gauges are used.
    """
    found: Families = {}
    for name, family in now.items():
        found[name] = newest = family.without_values()
        newest.values.update(family.values)
        if family.kind in _COUNTED and name in before:
            _merge(newest, before[name], max)
    for name, family in before.items():
        found.setdefault(name, family)
    return found


def add_counts(ended: Families, families: Families) -> None:
    """Add what a process has counted to what ended processes have counted.

    Args:
        ended: the counts of ended processes; they are changed.
        families: the last metrics of the process.
    """
    for name, family in families.items():
        if family.kind in _COUNTED:
            _merge(ended.setdefault(name, family.without_values()), family, math.fsum)


def sum_of(processes: Iterable[Families], ended: Families) -> Families:
    """Return the metrics of the whole server.

    Args:
        processes: the metrics of each process that runs.
        ended: what ended processes have counted.
    """
    found: Families = {}
    for families in processes:
        for name, family in families.items():
            rule = math.fsum if family.kind in _COUNTED else GAUGES.get(name, math.fsum)
            _merge(found.setdefault(name, family.without_values()), family, rule)
    add_counts(found, ended)
    for name, _ in _PER_WORKER.values():
        if name in found:
            found[name].values = dict(sorted(found[name].values.items(), key=_by_worker))
    return found


def _by_worker(item: tuple[SampleKey, float]) -> tuple[int, SampleKey]:
    number = item[0].labels[0][1]
    return len(number), item[0]  # worker 10 follows worker 9


def _merge(into: Family, family: Family, rule: _Rule) -> None:
    if into.kind != family.kind:
        return  # of another version of this program; the first one wins
    for key, value in family.values.items():
        known = into.values.get(key)
        if known is None:
            into.values[key] = value
        else:
            into.values[key] = (min if key.name.endswith(_CREATED) else rule)((known, value))
