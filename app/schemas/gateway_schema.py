"""The answer to ``GET /api/gateway``."""

from __future__ import annotations

from pydantic import BaseModel

__all__ = ["GatewayState", "GatewayStateResponse", "LogState", "WorkerState"]


class LogState(BaseModel):
    """The log from which the gateway replays events, and the streams that read it.

    Args:
        last_event_id: the id of the last event that this process has delivered; null if the server
            does not run yet.
        oldest_position: the position of the oldest event in the log.
        newest_position: the position of the newest event in the log.
        bytes: the bytes of all events in the log.
        oldest_age_seconds: the age of the oldest events, seconds. A browser that was away for a
            shorter time misses nothing.
        in_memory: whether the log ends with this process.
        resyncs: the number of streams that were told that they have missed events, by reason.
        joiners: the number of streams that have caught up and wait to get new events directly, now.
        streams_behind: the number of streams that read the log themselves now, joiners included.
        behind_bytes: the bytes of the log between its end and the stream that is furthest behind.
    """

    last_event_id: str | None
    oldest_position: int
    newest_position: int
    bytes: int
    oldest_age_seconds: float
    in_memory: bool
    resyncs: dict[str, int]
    joiners: int
    streams_behind: int
    behind_bytes: int


class GatewayState(BaseModel):
    """The gateway of a process. The numbers from ``opened`` on are totals since its start.

    Args:
        streams: the number of streams that are connecting or open now.
        pending_connects: the number of connects that wait for their answer now.
        bytes_buffered: the bytes that slow clients have not read now and that are not in the log.
        opened: the number of streams that have opened.
        refused: the number of streams that a limit, the hook or the backend has refused.
        closed: the number of streams that have ended, by reason.
        slow_consumers_ended: the number of streams that ended because too much was unread.
        heartbeats: the number of heartbeats.
        callbacks_failed: the number of disconnects that did not reach the backend.
        requests_refused: the number of refused requests of the whole process, by reason.
        log: the log; null if events are not replayed.
    """

    streams: int
    pending_connects: int
    bytes_buffered: int
    opened: int
    refused: int
    closed: dict[str, int]
    slow_consumers_ended: int
    heartbeats: int
    callbacks_failed: int
    requests_refused: dict[str, int]
    log: LogState | None


class WorkerState(GatewayState):
    """The gateway of one of several workers.

    Args:
        worker: the number of the worker, from 1.
        pid: its process id.
    """

    worker: int
    pid: int


class GatewayStateResponse(GatewayState):
    """The gateways of all workers together: the sums, and the log that they share.

    Args:
        workers: each worker; None if the server has one.
    """

    workers: list[WorkerState] | None = None
