"""The rules about the process: its event loop, its log, its memory, and its tasks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.console.operations.advice import Advice, Level
from app.console.operations.history import (
    NEARLY_FULL,
    RECENT_SECONDS,
    History,
    log_of,
)
from app.console.operations.limits import OperationsLimits
from app.console.operations.sample import Sample
from app.console.operations.words import count, is_or_are, size, span

__all__ = ["SERVER_RULES"]

BLOCKED_MS = 250
"""The length of a block of the event loop from which people notice it, milliseconds."""
SILENT_SECONDS = 15
"""The time without a sample of a worker from which it counts as stuck, and not as slow."""
MISSING_SECONDS = 30
"""A worker that is not there for this time is not about to be replaced."""
SHORT_LOG_SECONDS = 120
"""A log that reaches back less far does not cover a phone that changes its network."""
MEMORY_MINUTES = 9
"""Memory is compared with that of so many minutes before, once the server has run for so long."""
MEMORY_GROWTH = 0.3
MEMORY_BYTES = 64 * 1024 * 1024
"""Memory has grown if it did so by this share and by so many bytes. Each alone is ordinary: a small
process doubles at its first work, and a large one keeps what a burst has left."""


def _blocked_loop(history: History, _: OperationsLimits) -> Iterator[Advice]:
    worst = max(history.last(RECENT_SECONDS), key=lambda sample: sample.loop_lag_ms)
    if worst.loop_lag_ms >= BLOCKED_MS:
        loop, stream = "The event loop", "no stream"
        if worst.workers:
            slowest = max(worst.workers, key=lambda worker: worker.loop_lag_ms)
            loop, stream = f"{loop} of worker {slowest.worker}", "none of its streams"
        yield Advice(
            "loop_lag",
            Level.WARNING,
            f"{loop} was blocked for {worst.loop_lag_ms / 1000:.1f} s in the last minute; {stream}"
            " was served meanwhile. If one function did it, the server's log names it.",
        )


def _silent_workers(history: History, limits: OperationsLimits) -> Iterator[Advice]:
    workers = history.newest.workers
    silent = [worker for worker in workers if worker.silent_seconds >= SILENT_SECONDS]
    if silent:
        streams = sum(worker.streams for worker in silent)
        names = " and ".join(f"worker {worker.worker}" for worker in silent)
        longest = max(worker.silent_seconds for worker in silent)
        yield Advice(
            "silent_workers",
            Level.BAD,
            f"{names.capitalize()} {is_or_are(len(silent))} stuck for {span(longest)}:"
            f" {count(streams, 'stream')} {is_or_are(streams)} not served. If it does not end by"
            " itself, the server replaces a stuck worker. Its log says why.",
        )
    # In a reload, and while a worker is replaced, there are others for a moment.
    recent = history.last(MISSING_SECONDS)
    missing = limits.workers - max(len(sample.workers) for sample in recent)
    if workers and missing > 0:
        yield Advice(
            "missing_workers",
            Level.WARNING,
            f"{count(missing, 'worker')} of {limits.workers} {is_or_are(missing)} not running. The"
            " server's log says why it cannot start.",
        )


def _short_log(history: History, limits: OperationsLimits) -> Iterator[Advice]:
    log = log_of(history.newest)
    # Nothing was removed from a log that begins at 0: it is only young.
    if log is None or log.oldest == 0 or log.oldest_age_seconds >= SHORT_LOG_SECONDS:
        return
    # An eighth may be missing, because whole segments are removed.
    if limits.replay_seconds and log.oldest_age_seconds >= limits.replay_seconds * 7 / 8:
        return
    yield Advice(
        "short_log",
        Level.WARNING,
        f"The log keeps only the last {span(log.oldest_age_seconds)} of events, because"
        f" SSE_REPLAY_BYTES ({size(limits.replay_bytes)}) is full. A browser that is away for"
        " longer misses events and is told to resync. Raise SSE_REPLAY_BYTES.",
    )


def _grown_memory(history: History, _: OperationsLimits) -> Iterator[Advice]:
    minutes = (history.newest.time - history.oldest.time) / 60_000
    if minutes < MEMORY_MINUTES:
        return
    # The lowest of a minute: what a burst used is free again after it.
    until = history.oldest.time + RECENT_SECONDS * 1000
    before = min([item for item in history.samples if item.time <= until], key=_memory)
    after = min(history.last(RECENT_SECONDS), key=_memory)
    if not _memory(before) or after.streams > 1.1 * before.streams + 100:
        return  # unknown, or there are more streams, which take memory
    logs = [0 if log is None else log.bytes for log in (log_of(before), log_of(after))]
    growth = _memory(after) - _memory(before) - max(logs[1] - logs[0], 0)
    if growth >= MEMORY_BYTES and growth >= MEMORY_GROWTH * _memory(before):
        yield Advice(
            "memory",
            Level.WARNING,
            f"Memory grew from {size(_memory(before))} to {size(_memory(after))} in"
            f" {minutes:.0f} minutes, without more streams. Does a task or a hook keep objects?",
        )


def _waiting_tasks(history: History, limits: OperationsLimits) -> Iterator[Advice]:
    waiting = history.newest.tasks_waiting
    if waiting and waiting >= NEARLY_FULL * limits.max_tasks_waiting:
        yield Advice(
            "tasks_waiting",
            Level.WARNING,
            f"{count(waiting, 'task')} {is_or_are(waiting)} waiting for a slot; beyond"
            f" {limits.max_tasks_waiting:,}, tasks are refused. Raise TASK_MAX_WORKERS, or start"
            " fewer tasks.",
        )


def _lost_at_restart(history: History, limits: OperationsLimits) -> Iterator[Advice]:
    log = log_of(history.newest)
    if not limits.has_gateway:
        yield Advice(
            "other_gateway",
            Level.NOTE,
            "Another gateway serves the streams (SSE_GATEWAY_URL). Its own figures are not shown"
            " here, and events are not replayed.",
        )
    elif not limits.replays:
        yield Advice(
            "no_replay",
            Level.NOTE,
            "Events are not kept (SSE_REPLAY=off). What is sent while a browser is away is lost.",
        )
    elif log is not None and log.in_memory and limits.state_directory_is_set:
        yield Advice(
            "log_in_memory",
            Level.WARNING,
            "The log is in memory only, although SSE_STATE_DIR is set: its files could not be"
            " used. The server's log has the reason. A restart or a reload loses the events.",
        )
    elif log is not None and (log.in_memory or not limits.survives_restart):
        yield Advice(
            "log_in_memory",
            Level.NOTE,
            "The log is in memory only: a restart loses it. Set SSE_STATE_DIR to a directory, and"
            " browsers miss nothing over a restart.",
        )


def _memory(sample: Sample) -> int:
    return sample.memory_bytes or 0


SERVER_RULES: tuple[Callable[[History, OperationsLimits], Iterator[Advice]], ...] = (
    _blocked_loop,
    _silent_workers,
    _short_log,
    _grown_memory,
    _waiting_tasks,
    _lost_at_restart,
)
"""The rules, each of which yields its advice."""
