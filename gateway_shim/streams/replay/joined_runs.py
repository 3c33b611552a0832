"""Short runs of the log, which one ``send`` writes together. Pure.

Where several processes share a log, it has many entries for others: what the processes tell each
other. Between them, a run may be a single event. A ``send`` for each would cost a stream that is
behind several times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway_shim.event_log.segment import Run

__all__ = ["JOINED_BYTES", "JOINED_RUNS", "data_of", "join", "place_after"]

JOINED_BYTES = 16 * 1024
"""The bytes of runs that are joined, at most: they are copied. A longer run is sent alone."""

JOINED_RUNS = 64
"""The runs that are looked at for one ``send``, at most."""


def join(first: Run, following: Callable[[int, int], Run | None]) -> list[Run]:
    """Return a run that has bytes, and those after it that one ``send`` can write with it.

    Args:
        first: the run.
        following: returns the run after a position, with a number of bytes at most unless its first
            entry is longer; None if entries there were trimmed.
    """
    runs, position, room = [first], first.end, JOINED_BYTES - len(first.data)
    for _ in range(JOINED_RUNS - 1 if room > 0 else 0):
        run = following(position, room)
        if run is None or run.end <= position or len(run.data) > room:
            break
        position = run.end
        if run.data:
            runs.append(run)
            room -= len(run.data)
        if room <= 0:
            break
    return runs


def data_of(runs: Sequence[Run]) -> memoryview:
    """Return the bytes of runs. Those of one run are not copied."""
    if len(runs) == 1:
        return runs[0].data
    return memoryview(b"".join([run.data for run in runs]))


def place_after(runs: Sequence[Run], sent: int) -> tuple[int, int, int]:
    """Return where a stream is after some of the bytes of runs.

    Args:
        runs: the runs, one at least.
        sent: the number of bytes that were written.

    Returns:
        The position of the last entry that is done, the bytes that were written of the entry after
        it, and the number of the stream's entries that are done.
    """
    position = written = done = 0
    for run in runs:
        part = min(sent, len(run.data))
        sent -= part
        before, _ = run.place(0)
        position, written = run.place(part)
        done += position - before
        if not sent:
            break
    return position, written, done
