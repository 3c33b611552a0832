"""Gaps in the log of a directory: times in which events were sent that are not in the log.

A process that sends events without the log leaves a file beside it: SSE_REPLAY is off, or the log's
files cannot be used. The next process that opens the log begins a new epoch. Otherwise a browser
that was away all the time would not be told that it has missed events.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.event_log.segments.head import Head

__all__ = ["end_after_gap", "note_gap"]

_MARK = "gap"


def note_gap(place: LogPlace | None) -> None:
    """Note that this process sends events that are not in the log of a place.

    Args:
        place: the place; None: there is no log that could be continued.
    """
    if place is None or not place.log_directory.exists():
        return
    try:
        _mark_of(place).touch(mode=0o600)
    except OSError:
        # Without space or rights for a file, there may be a right to change one.
        with contextlib.suppress(OSError, LogDamaged, LogUnavailable):
            Head.end_for_gap(place.log_directory)


def end_after_gap(place: LogPlace) -> None:
    """End the epoch of a place's log if there was a gap. Call this before the log is opened.

    Raises:
        OSError: the file that notes the gap could not be removed.
        LogUnavailable: the log must not be used.
    """
    mark = _mark_of(place)
    if not mark.exists():
        return
    with contextlib.suppress(FileNotFoundError, LogDamaged):  # then a new epoch begins anyway
        Head.end_for_gap(place.log_directory)
    mark.unlink(missing_ok=True)


def _mark_of(place: LogPlace) -> Path:
    return place.log_directory / _MARK
