"""The limits on what a log keeps. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LogLimits"]

_SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class LogLimits:
    """The limits on what a log keeps. It is trimmed by whole segments: eighths of the limits.

    Args:
        size: the bytes that it takes at most. The newest entry is kept even if it is larger.
        seconds: the seconds for which an entry is kept at least, if the bytes suffice; an eighth
            more at most. None: no limit.
    """

    size: int = 32 * 1024 * 1024
    seconds: float | None = None

    @property
    def segment_bytes(self) -> int:
        """The size of a segment. A longer entry gets a segment of its own size."""
        return self.size // _SEGMENTS

    def is_full_of_time(self, age: float) -> bool:
        """Return True if a segment that was begun so many seconds ago takes no more entries."""
        return self.seconds is not None and age > self.seconds / _SEGMENTS
