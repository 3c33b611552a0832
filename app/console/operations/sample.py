"""One sample of the server's figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["GatewaySample", "LogSample", "Sample", "WorkerSample"]


@dataclass(frozen=True, slots=True)
class LogSample:
    """The event log, and the streams that read it because they are behind.

    Args:
        newest_id: the id of the last event that this process has delivered.
        oldest_id: the id of the oldest event in the log.
        newest: the position of the newest event.
        oldest: the position of the oldest event.
        bytes: the bytes of all events in the log.
        oldest_age_seconds: the age of the oldest events, seconds.
        in_memory: True if the log ends with this process.
        streams_behind: the streams that read the log themselves.
        streams_far_behind: those of them that are more than ``FAR_BEHIND_BYTES`` behind.
        bytes_behind: the bytes between the end of the log and the stream that is furthest behind.
        resyncs: the streams that were told that they have missed events, in total.
    """

    newest_id: str
    oldest_id: str
    newest: int
    oldest: int
    bytes: int
    oldest_age_seconds: float
    in_memory: bool
    streams_behind: int
    streams_far_behind: int
    bytes_behind: int
    resyncs: int


@dataclass(frozen=True, slots=True)
class GatewaySample:
    """The gateway of this process.

    Args:
        pending_connects: the connects that wait for their answer.
        bytes_buffered: the bytes that slow clients have not read and that are not in the log.
        slow_consumers_ended: the streams that were ended because too much was unread, in total.
        callbacks_failed: the disconnects that were not reported to the backend, in total.
        log: the log; None: events are not replayed.
    """

    pending_connects: int
    bytes_buffered: int
    slow_consumers_ended: int
    callbacks_failed: int
    log: LogSample | None


@dataclass(frozen=True, slots=True)
class WorkerSample:
    """One of several workers.

    Args:
        worker: its number, from 1.
        streams: its streams that are open or connecting.
        loop_lag_ms: the longest time for which its event loop served nobody, milliseconds.
        memory_bytes: the memory that it uses; None: this system does not tell.
        silent_seconds: the time for which it should have taken samples and has not; the other
            values are older then.
    """

    worker: int
    streams: int
    loop_lag_ms: float
    memory_bytes: int | None
    silent_seconds: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of one moment, and of the interval before it.

    Args:
        time: milliseconds since 1970.
        deliveries_per_second: the events that streams took; a broadcast counts for each stream.
        events_per_second: the events that were sent; a broadcast counts once.
        streams: the streams that are open or connecting.
        opened: the streams that have opened, in total.
        closed: the streams that have ended, in total.
        broadcast_ms: the average duration of the interval's broadcasts, milliseconds; None: there
            was none.
        longest_broadcast_ms: the longest of them, milliseconds; None: there was none.
        loop_lag_ms: the longest time for which the event loop served nobody, milliseconds.
        memory_bytes: the memory that the process uses; None: this system does not tell.
        tasks_running: the tasks that run.
        tasks_waiting: the tasks that wait for a slot.
        appends_failed: the events that the log did not take, in total.
        gateway: the gateway of this process; None: another process serves the streams.
        gateway_problem: why that other gateway, or Redis, is not ready, in one sentence; None: it
            is ready, or there is none.
        workers: each worker, if the server has several. The other values are then the sums over the
            workers; of durations, the longest; of ``broadcast_ms``, the average.
    """

    time: int
    deliveries_per_second: float
    events_per_second: float
    streams: int
    opened: int
    closed: int
    broadcast_ms: float | None
    longest_broadcast_ms: float | None
    loop_lag_ms: float
    memory_bytes: int | None
    tasks_running: int
    tasks_waiting: int
    appends_failed: int
    gateway: GatewaySample | None
    gateway_problem: str | None
    workers: tuple[WorkerSample, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the sample as the page gets it. A server with one worker mentions no workers."""
        values = asdict(self)
        if not self.workers:
            del values["workers"]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Sample:
        """Return the sample of one process from what :meth:`as_json` has returned.

        Raises:
            TypeError: it was written by another version of this program.
        """
        gateway = values["gateway"]
        if gateway is not None:
            log = gateway["log"]
            gateway = GatewaySample(**gateway | {"log": None if log is None else LogSample(**log)})
        return cls(**values | {"gateway": gateway})
