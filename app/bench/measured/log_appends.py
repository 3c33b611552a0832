"""The event log alone, without streams, in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from gevent.event import Event as Signal

from app.bench.clients.helper import serve
from app.bench.clients.payload import progress_text, sample_frame, stamps
from app.bench.errors import BenchFailed
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.segments.segment_log import SegmentLog

__all__ = [
    "BATCH",
    "SharedLog",
    "append_times_us",
    "append_to_memory",
    "append_to_segments",
    "log_folder",
]

BATCH = 500
"""The number of appends that are timed together."""

_SIGNATURE = "bench"


@contextmanager
def log_folder() -> Iterator[Path]:
    """Make a folder for a log's files, in shared memory if there is one."""
    shared_memory = "/dev/shm"  # noqa: S108 - the folder in it has its own random name
    parent = shared_memory if Path(shared_memory).is_dir() else None
    with TemporaryDirectory(prefix="sse-monolith-bench-", dir=parent) as folder:
        yield Path(folder)


def append_times_us(log: Log, appends: int) -> list[float]:
    """Append events, and return the time of one append, microseconds; one value per batch.

    Args:
        log: the log.
        appends: the number of appends.
    """
    event = sample_frame().bare
    times = []
    for _ in range(max(appends // BATCH, 1)):
        started = time.perf_counter_ns()
        for _ in range(BATCH):
            log.append(EVERYONE, event)
        times.append((time.perf_counter_ns() - started) / 1e3 / BATCH)
    return times


def append_to_memory(appends: int) -> list[float]:
    """Time appends to the log in one process's memory (:func:`append_times_us`)."""
    return append_times_us(MemoryLog(LogLimits()), appends)


def append_to_segments(appends: int) -> list[float]:
    """Time appends to the log in files, of which no other process has opened the log."""
    with log_folder() as folder:
        log = _open(folder)
        try:
            return append_times_us(log, appends)
        finally:
            log.close()


class SharedLog:
    """One process's side of a log that two processes share. Every method is a command."""

    def __init__(self) -> None:
        self._log: SegmentLog | None = None
        self._woken = Signal()

    def open(self, folder: str) -> None:
        """Open the log in a folder. Call :meth:`append` or :meth:`read` next."""
        self._log = _open(Path(folder))
        self._log.listen(self)

    def append(self, events: int, pause: float) -> None:
        """Append events that contain the time, and close the log.

        Args:
            events: the number of events.
            pause: the pause before each event, seconds.
        """
        log = self._opened()
        for _ in range(events):
            time.sleep(pause)
            log.append(EVERYONE, f"data: {progress_text(time.monotonic_ns())}\n\n".encode())
        log.close()

    def read(self, events: int, seconds: float) -> list[float]:
        """Read the events that another process appends, and close the log.

        Args:
            events: the number of events.
            seconds: the time limit.

        Returns:
            The times from before each append until its entry was read here, microseconds.

        Raises:
            BenchFailed: the events did not arrive in time.
        """
        log, position, deadline = self._opened(), 0, time.monotonic() + seconds
        delays: list[float] = []
        while len(delays) < events:
            for entry in log.read(position, events) or ():
                position, now = entry.position, time.monotonic_ns()
                delays += [(now - sent) / 1e3 for sent in stamps(bytes(entry.frame))]
            log.completed(position)
            if len(delays) < events and not self._woken.wait(deadline - time.monotonic()):
                raise BenchFailed(f"{len(delays)} of {events} entries after {seconds:g} s")
            self._woken.clear()
        log.close()
        return delays

    def appended(self) -> None:
        """Wake the reader. Called by the log."""
        self._woken.set()

    def trimming(self, through: int) -> None:
        """Do nothing, because no entry is kept. Called by the log."""

    def _opened(self) -> SegmentLog:
        if self._log is None:
            raise BenchFailed("the log is not open")
        return self._log


def _open(folder: Path) -> SegmentLog:
    return SegmentLog(folder / "log", LogLimits(), signature=_SIGNATURE)


def _commands() -> dict[str, Callable[..., Any]]:
    shared = SharedLog()
    return {
        "memory": append_to_memory,
        "files": append_to_segments,
        "open": shared.open,
        "append": shared.append,
        "read": shared.read,
    }


if __name__ == "__main__":
    serve(_commands())
