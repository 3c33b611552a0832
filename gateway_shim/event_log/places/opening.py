"""Opens the log in a process that serves."""

from __future__ import annotations

import logging

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log
from gateway_shim.event_log.memory_log import MemoryLog
from gateway_shim.event_log.places.fallback_log import FallbackLog
from gateway_shim.event_log.places.gaps import end_after_gap, note_gap
from gateway_shim.event_log.places.place import LogPlace, current_place
from gateway_shim.event_log.segments.segment_log import SegmentLog

__all__ = ["open_log"]

logger = logging.getLogger(__name__)


def open_log(limits: LogLimits, signature: str) -> Log:
    """Open the log of this server, or one in the memory of this process.

    Call it after the fork, once in each process. A server that no arbiter has started, such as
    Flask's own, has a log in memory.

    Args:
        limits: how much the log keeps.
        signature: names what the bytes of the entries depend on. A log with another signature is
            not continued.

    Returns:
        The log. If the directory of the log cannot be used, now or later, the log is in memory, and
        this is logged. Among several workers, the log is never in memory: events would reach only
        the browsers of one of them.

    Raises:
        LogUnavailable: one of several workers cannot use the directory; says what to do.
    """
    place = current_place()
    if place is None:
        return MemoryLog(limits)
    try:
        files = _open_files(place, limits, signature)
    except LogUnavailable as exc:
        if place.workers > 1:
            raise LogUnavailable(
                f"{exc}; each of {place.workers} workers needs the log (one worker would serve"
                " with a log in its memory)"
            ) from exc
        note_gap(place)
        logger.warning(
            "the event log is in the memory of this process, so a reload or a restart loses events",
            extra={"directory": str(place.directory), "reason": str(exc)},
        )
        return MemoryLog(limits)
    if place.workers > 1:
        return files
    return FallbackLog(files, lambda: MemoryLog(limits), lambda: note_gap(place))


def _open_files(place: LogPlace, limits: LogLimits, signature: str) -> SegmentLog:
    try:
        # A program that cleans folders may have removed the directory since the start.
        place.directory.mkdir(mode=0o700, exist_ok=True)
        end_after_gap(place)
        return SegmentLog(place.log_directory, limits, signature=signature)
    except OSError as exc:
        raise LogUnavailable(f"cannot use {place.directory}: {exc.strerror}") from exc
