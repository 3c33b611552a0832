"""The section stalled-cost: the memory and the CPU that one stalled client costs the server.

The memory is measured in one process, which first serves clients that read, and then the same
clients when they have stopped reading. Each time, the same events are sent. The memory is the
process's private one, so the event log does not count (:func:`private_bytes`). The CPU is that of
events to stalled clients, without the CPU of as many events when no client is stalled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from app.bench.bursts import (
    CROWD,
    OTHER_CLIENTS,
    SECONDS,
    WITHOUT_LOG,
    backend_with_clients,
    open_streams,
    run_burst,
)
from app.bench.clients.helper import Helper
from app.bench.context import BenchContext
from app.bench.errors import BenchFailed
from app.bench.measured.backend import MeasuredBackend
from app.bench.measured.process_figures import cpu_nanoseconds, kib_each, private_bytes

__all__ = ["measure"]

_STALLING_EVENTS = 250
_MOST_BURSTS = 20
_BYTES_WITHOUT_LOG = 32_768
_EVENTS_WITHOUT_LOG = 100
_REPLAY_BYTES = 4 * 1024 * 1024
_LARGE_EVENT_BYTES = 100_000
_PART_WITHOUT_LOG = 5


def measure(context: BenchContext) -> None:
    """Measure the cost of a stalled client with the event log, and without it.

    Raises:
        BenchFailed: not all clients have stalled, or the server has ended some of them.
    """
    plan, add = context.plan, context.results.add
    with _servers(SSE_REPLAY_BYTES=str(_REPLAY_BYTES)) as (server, reader, crowd):
        _replace_log(server, reader)
        found = _measure(context, server, reader, crowd, plan.streams, plan.deliveries // 50, True)
        _replace_log(server, reader)
        trimmed = private_bytes(server.worker) - found.reading_bytes
    few = max(plan.streams // _PART_WITHOUT_LOG, 1)
    with _servers(**WITHOUT_LOG) as (server, reader, crowd):
        without = _measure(context, server, reader, crowd, few, _EVENTS_WITHOUT_LOG, False)
    add(
        "stalled_memory_kib",
        f"a stalled client, one of {plan.streams:,}: memory more than when it reads",
        kib_each(found.more_bytes, plan.streams),
        "KiB",
    )
    add(
        "stalled_trimmed_kib",
        "the same, when the log has lost what the client has missed",
        kib_each(trimmed, plan.streams),
        "KiB",
    )
    add(
        "stalled_off_memory_kib",
        f"the same without the event log, one of {few:,}",
        kib_each(without.more_bytes, few),
        "KiB",
    )
    cpu_ns = add("stalled_cpu_ns", "CPU per event and stalled client", found.cpu_ns, "ns")
    off_ns = add("stalled_off_cpu_ns", "the same without the event log", without.cpu_ns, "ns")
    add(
        "stalled_cpu_to_off",
        "the same, relative to without the event log",
        cpu_ns / off_ns if off_ns else 0.0,  # in a short run, both are less than the clock's tick
    )


@dataclass(frozen=True, slots=True)
class _Costs:
    """The costs of stalled clients.

    Args:
        reading_bytes: the memory of the process while all clients read.
        more_bytes: the memory that the process has more when all have stalled.
        cpu_ns: the CPU time per event and stalled client, nanoseconds.
    """

    reading_bytes: int
    more_bytes: int
    cpu_ns: float


@contextmanager
def _servers(**settings: str) -> Iterator[tuple[MeasuredBackend, Helper, Helper]]:
    """Run a backend, one client that always reads, and a process for clients that stall.

    The backend does not keep the results of tasks, which would count as memory.
    """
    with (
        backend_with_clients(TASK_MAX_FINISHED="1", **settings) as (server, reader),
        Helper(CROWD) as crowd,
    ):
        open_streams(reader, server.port, 1)
        yield server, reader, crowd


def _measure(
    context: BenchContext,
    server: MeasuredBackend,
    reader: Helper,
    crowd: Helper,
    streams: int,
    events: int,
    has_log: bool,
) -> _Costs:
    """Measure with clients that read and then stall.

    Args:
        context: the context of the run.
        server: the backend.
        reader: the process of the client that always reads.
        crowd: the process of the clients that stall.
        streams: the number of clients that stall.
        events: the number of events in a burst whose CPU is measured.
        has_log: whether the server has the event log.
    """
    rounds = context.plan.repetitions
    context.tell(f"stalled clients: {events:,} events without them")
    _cpu_ns(server, reader, events)  # a warm-up
    usual = median(_cpu_ns(server, reader, events) for _ in range(rounds))
    context.tell(f"stalled clients: opening {streams:,} streams")
    open_streams(crowd, server.port, streams, stalled=True, first=OTHER_CLIENTS)
    crowd.call("wake")
    crowd.begin("read", frames=streams * (_STALLING_EVENTS + 2), seconds=SECONDS)
    run_burst(server, reader, 1, _STALLING_EVENTS)
    crowd.finish()
    reading = private_bytes(server.worker)
    context.tell(f"stalled clients: {streams:,} do not read")
    _stall(server, reader, streams, has_log)
    more = private_bytes(server.worker) - reading
    with_stalled = median(_cpu_ns(server, reader, events) for _ in range(rounds))
    return _Costs(reading, more, max(with_stalled - usual, 0) / events / streams)


def _stall(server: MeasuredBackend, reader: Helper, streams: int, has_log: bool) -> None:
    """Send events until the kernel takes nothing more for the clients that do not read.

    The kernel may give a connection more memory a moment after it was full. So a client has
    stalled only if it has got nothing after the next events, either.

    Raises:
        BenchFailed: the kernel's buffers do not fill.
    """
    times = 0
    for _ in range(_MOST_BURSTS):
        run_burst(server, reader, 1, _STALLING_EVENTS)
        times = times + 1 if _all_are_behind(server, streams, has_log) else 0
        if times == 2:
            return
    raise BenchFailed("the kernel's buffers for the stalled clients do not fill")


def _all_are_behind(server: MeasuredBackend, streams: int, has_log: bool) -> bool:
    if has_log:
        return server.streams_behind() >= streams
    return server.metric("sse_gateway_bytes_buffered") >= streams * _BYTES_WITHOUT_LOG


def _cpu_ns(server: MeasuredBackend, reader: Helper, events: int) -> int:
    """Return the CPU time of the backend during one burst, nanoseconds.

    It is a whole number, because the rest of a difference of two equal floats would be a time, and
    a ratio to it any number.
    """
    before = cpu_nanoseconds(server.worker)
    run_burst(server, reader, 1, events)
    return cpu_nanoseconds(server.worker) - before


def _replace_log(server: MeasuredBackend, reader: Helper) -> None:
    """Send large events until the log has lost all events that it had."""
    for _ in range(_REPLAY_BYTES // _LARGE_EVENT_BYTES * 5 // 4):
        reader.begin("read", frames=2, seconds=SECONDS)
        task_id = server.start_burst(0, result_bytes=_LARGE_EVENT_BYTES)
        reader.finish()
        server.burst_result(task_id)
