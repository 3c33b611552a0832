"""Samples and limits for tests, of a server that has nothing to tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.console.operations.limits import OperationsLimits
from app.console.operations.sample import GatewaySample, LogSample, Sample

__all__ = ["LIMITS", "LOG", "SAMPLE", "sample", "series"]

LOG = LogSample(
    newest_id="e-9",
    oldest_id="e-0",
    newest=9,
    oldest=0,
    bytes=900,
    oldest_age_seconds=30.0,
    in_memory=False,
    streams_behind=0,
    streams_far_behind=0,
    bytes_behind=0,
    resyncs=0,
)
SAMPLE = Sample(
    time=1_000_000,
    deliveries_per_second=0.0,
    events_per_second=0.0,
    streams=10,
    opened=10,
    closed=0,
    broadcast_ms=None,
    longest_broadcast_ms=None,
    loop_lag_ms=1.0,
    memory_bytes=100 << 20,
    tasks_running=0,
    tasks_waiting=0,
    appends_failed=0,
    gateway=GatewaySample(0, 0, 0, 0, LOG),
    gateway_problem=None,
)
LIMITS = OperationsLimits(
    has_gateway=True,
    max_streams=1000,
    replays=True,
    replay_bytes=32 << 20,
    replay_seconds=None,
    state_directory_is_set=True,
    survives_restart=True,
    max_buffer_bytes=100 << 20,
    max_tasks_running=4,
    max_tasks_waiting=100,
)

_OF_GATEWAY = {"pending_connects", "bytes_buffered", "slow_consumers_ended", "callbacks_failed"}


def sample(seconds: float = 0, **changes: Any) -> Sample:
    """Return a sample.

    Args:
        seconds: its time after that of :data:`SAMPLE`.
        changes: what differs from :data:`SAMPLE`, wherever it belongs.
    """
    of_gateway = {name: changes.pop(name) for name in _OF_GATEWAY & changes.keys()}
    of_log = {
        name: changes.pop(name) for name in set(LogSample.__dataclass_fields__) & changes.keys()
    }
    gateway = replace(GatewaySample(0, 0, 0, 0, replace(LOG, **of_log)), **of_gateway)
    own: dict[str, Any] = {"time": 1_000_000 + int(seconds * 1000), "gateway": gateway}
    return replace(SAMPLE, **own | changes)


def series(seconds: int, **changes: Any) -> list[Sample]:
    """Return ordinary samples, one each five seconds, and then one with changes."""
    return [*(sample(at) for at in range(0, seconds, 5)), sample(seconds, **changes)]
