"""The rules about the process: its event loop, its log, its memory, and its tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.console.operations.advising import advise
from app.console.operations.limits import OperationsLimits
from app.console.operations.sample import Sample, WorkerSample
from tests.app.console.operations.samples import LIMITS, sample

MIB = 1 << 20


def texts(samples: list[Sample], limits: OperationsLimits = LIMITS) -> list[str]:
    """Return the advice with its levels."""
    return [f"{advice.level}: {advice.text}" for advice in advise(samples, limits)]


def test_a_blocked_loop() -> None:
    """A block is told for a minute, with the longest time."""
    blocked = [sample(0, loop_lag_ms=400.0), sample(5, loop_lag_ms=810.0), sample(10)]
    assert texts(blocked) == [
        "warning: The event loop was blocked for 0.8 s in the last minute; no stream was served"
        " meanwhile. If one function did it, the server's log names it."
    ]
    assert texts([*blocked, sample(66)]) == []
    assert texts([sample(loop_lag_ms=249.0)]) == []


def test_a_short_log() -> None:
    """A full log that reaches back less than two minutes is a warning."""
    assert texts([sample(oldest=7, oldest_age_seconds=40.2)]) == [
        "warning: The log keeps only the last 40 s of events, because SSE_REPLAY_BYTES (32 MiB) is"
        " full. A browser that is away for longer misses events and is told to resync. Raise"
        " SSE_REPLAY_BYTES."
    ]


@pytest.mark.parametrize(
    ("changes", "replay_seconds"),
    [
        ({"oldest": 0, "oldest_age_seconds": 3.0}, None),  # young: nothing was removed
        ({"oldest": 7, "oldest_age_seconds": 120.0}, None),
        ({"oldest": 7, "oldest_age_seconds": 53.0}, 60.0),  # as SSE_REPLAY_SECONDS says
        ({"gateway": None}, None),
    ],
)
def test_a_log_that_is_long_enough(changes: dict[str, Any], replay_seconds: float | None) -> None:
    """A young log, and one that is as short as it was set to be, are no warning."""
    assert texts([sample(**changes)], replace(LIMITS, replay_seconds=replay_seconds)) == []


def grown(before: int, after: int, **changes: Any) -> list[Sample]:
    """Return ten minutes in whose last minute the memory is another, MiB."""
    early = [sample(at, memory_bytes=before * MIB) for at in range(0, 540, 5)]
    return early + [sample(at, memory_bytes=after * MIB, **changes) for at in range(540, 600, 5)]


def test_memory_that_grew() -> None:
    """Memory that grew by a third and by 64 MiB is a warning."""
    assert texts(grown(200, 270)) == [
        "warning: Memory grew from 200 MiB to 270 MiB in 10 minutes, without more streams. Does a"
        " task or a hook keep objects?"
    ]


@pytest.mark.parametrize(
    "samples",
    [
        grown(50, 110),  # not 64 MiB
        grown(1000, 1100),  # not 30 %
        grown(200, 270, streams=112),  # more streams
        grown(200, 270, bytes=30 * MIB),  # the log is filled
        grown(200, 270)[20:],  # the server is young
        [*grown(200, 270), sample(600, memory_bytes=210 * MIB)],  # it is free again
        [sample(at, memory_bytes=None) for at in range(0, 600, 5)],
    ],
)
def test_memory_that_did_not_grow(samples: list[Sample]) -> None:
    """Growth that has a reason, or that is small, is no warning."""
    assert texts(samples) == []


def test_waiting_tasks() -> None:
    """A line that is nearly full is a warning."""
    assert texts([sample(tasks_waiting=89)]) == []
    assert texts([sample(tasks_waiting=90)]) == [
        "warning: 90 tasks are waiting for a slot; beyond 100, tasks are refused. Raise"
        " TASK_MAX_WORKERS, or start fewer tasks."
    ]


@pytest.mark.parametrize(
    ("changes", "limits", "text"),
    [
        (
            {"in_memory": True},
            {"state_directory_is_set": False},
            "note: The log is in memory only: a restart loses it. Set SSE_STATE_DIR to a"
            " directory, and browsers miss nothing over a restart.",
        ),
        (
            {},
            {"state_directory_is_set": False, "survives_restart": False},
            "note: The log is in memory only: a restart loses it. Set SSE_STATE_DIR to a"
            " directory, and browsers miss nothing over a restart.",
        ),
        (
            {"in_memory": True},
            {},
            "warning: The log is in memory only, although SSE_STATE_DIR is set: its files could"
            " not be used. The server's log has the reason. A restart or a reload loses the"
            " events.",
        ),
        (
            {"gateway": None},
            {"replays": False},
            "note: Events are not kept (SSE_REPLAY=off). What is sent while a browser is away is"
            " lost.",
        ),
        (
            {"gateway": None},
            {"has_gateway": False, "max_streams": None, "replays": False},
            "note: Another gateway serves the streams (SSE_GATEWAY_URL). Its own figures are not"
            " shown here, and events are not replayed.",
        ),
    ],
)
def test_what_a_restart_loses(changes: dict[str, Any], limits: dict[str, Any], text: str) -> None:
    """The page tells what is lost at a restart, and why."""
    assert texts([sample(**changes)], replace(LIMITS, **limits)) == [text]


def workers_of(*silent: float, lag: float = 1.0) -> tuple[WorkerSample, ...]:
    """Return workers with 10 streams each; the last one has a lag."""
    return tuple(
        WorkerSample(number, 10, lag if number == len(silent) else 2.0, MIB, seconds)
        for number, seconds in enumerate(silent, 1)
    )


def test_a_blocked_loop_of_one_worker() -> None:
    """The worker is named, because the others go on."""
    blocked = sample(loop_lag_ms=800.0, workers=workers_of(0, 0, lag=800.0))
    assert texts([blocked], replace(LIMITS, workers=2)) == [
        "warning: The event loop of worker 2 was blocked for 0.8 s in the last minute; none of its"
        " streams was served meanwhile. If one function did it, the server's log names it."
    ]


def test_a_stuck_worker() -> None:
    """A worker that takes no samples for 15 seconds is stuck; a slower one is late."""
    limits = replace(LIMITS, workers=3)
    assert texts([sample(workers=workers_of(0, 10, 0))], limits) == []
    assert texts([sample(workers=workers_of(0, 15, 20))], limits) == [
        "bad: Worker 2 and worker 3 are stuck for 20 s: 20 streams are not served. If it does not"
        " end by itself, the server replaces a stuck worker. Its log says why."
    ]


def test_a_missing_worker() -> None:
    """A worker that is replaced at once is not missing; one that cannot start is."""
    limits = replace(LIMITS, workers=2)
    two, one = workers_of(0, 0), workers_of(0)
    replaced = [sample(0, workers=two), *(sample(at, workers=one) for at in range(5, 30, 5))]
    assert texts(replaced, limits) == []
    assert texts([*replaced, sample(30, workers=one)], limits) == [
        "warning: 1 worker of 2 is not running. The server's log says why it cannot start."
    ]
    assert texts([sample(0)], LIMITS) == []
