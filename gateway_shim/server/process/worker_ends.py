"""The ends of workers: their log lines, and the pauses after crashes."""

from __future__ import annotations

import logging
import signal

__all__ = ["CrashPauses", "log_end"]

logger = logging.getLogger(__name__)

_STEADY_SECONDS = 60.0
"""A worker that has lived this long did not crash because of its start."""

_LONGEST_PAUSE_SECONDS = 30.0


class CrashPauses:
    """The pauses between workers that crash one after the other: 1, 2, 4, …, 30 seconds.

    The first worker that crashes is replaced at once. Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._crashes = 0  # one after the other
        self._next_start = 0.0  # the time at which the pause is over

    def may_start(self, now: float) -> bool:
        """Return whether the pause is over."""
        return now >= self._next_start

    def note(self, now: float, lived: float) -> None:
        """Note a crash, and set the pause before the next start.

        Args:
            now: the time.
            lived: how long the worker has lived, seconds.
        """
        self._crashes = self._crashes + 1 if lived < _STEADY_SECONDS else 1
        if self._crashes > 1:
            pause = min(2.0 ** (self._crashes - 2), _LONGEST_PAUSE_SECONDS)
            self._next_start = now + pause
            logger.error(
                "workers crash repeatedly; the next worker starts after a pause",
                extra={"crashes": self._crashes, "seconds": pause},
            )

    def forget(self) -> None:
        """Forget the crashes. Call this when the next worker has other code or other settings."""
        self._crashes, self._next_start = 0, 0.0


def log_end(pid: int, code: int) -> None:
    """Log the end of a worker, unless its exit status is 0.

    Args:
        pid: the process id of the worker.
        code: its exit status, or the negative number of the signal that ended it.
    """
    if code > 0:
        logger.error("Worker (pid:%s) exited with code %s.", pid, code)
    elif code == -signal.SIGKILL:
        logger.error("Worker (pid:%s) was sent SIGKILL! Perhaps out of memory?", pid)
    elif code < 0:
        log = logger.info if code == -signal.SIGTERM else logger.warning
        log("Worker (pid:%s) was ended by a signal: %s", pid, signal.strsignal(-code) or -code)
