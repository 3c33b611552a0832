"""Opens the log of a directory: continues its epoch, or begins a new one and says why."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.memory_log import new_epoch
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.epoch import Epoch
from gateway_shim.event_log.segments.layout import OTHER_FORM, Identity, is_segment_name
from gateway_shim.event_log.segments.writer_lock import WriterLock

__all__ = ["Opening", "boot_seconds"]

logger = logging.getLogger(__name__)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_seconds() -> float:
    """Return the seconds since the machine was started, by a clock that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Opening:
    """The opening of the log of a directory.

    Args:
        directory: the directory, which exists.
        limits: the bytes and seconds that are kept.
        signature: what the entries depend on.
        clock: seconds, by a clock that all processes share.
        boot_id: the file that names the machine's boot. Without it, the boot is not checked.
    """

    def __init__(
        self,
        directory: Path,
        limits: LogLimits,
        signature: str,
        clock: Callable[[], float],
        boot_id: Path = _BOOT_ID,
    ) -> None:
        self._directory = directory
        self._limits = limits
        self._clock = clock
        self._signature = signature
        try:
            self._boot_id = boot_id.read_text().strip()
        except OSError:
            self._boot_id = ""

    def open(self, lock: WriterLock) -> Epoch:
        """Open the log. May let other greenlets run.

        Args:
            lock: the lock, which must be free. It is free again when this returns.

        Raises:
            LogUnavailable: the log cannot be used, or another process has kept the lock.
        """
        # First without the lock: the entries are read meanwhile, which would delay appends.
        try:
            epoch = Epoch.open(self._directory, self._identity(""))
        except (FileNotFoundError, LogDamaged):
            lock.acquire()
            try:
                return self.open_locked()
            finally:
                lock.release()
        self._clean(epoch, lock)
        return epoch

    def open_locked(self, trouble: str | None = None) -> Epoch:
        """Open the log. Call it with the lock held.

        Args:
            trouble: the reason why a process opens the log again; None when it opens it first.

        Raises:
            LogUnavailable: the log cannot be used.
        """
        try:
            epoch = Epoch.open(self._directory, self._identity(""))
            epoch.remove_strays()
        except FileNotFoundError:
            has_segments = any(map(is_segment_name, os.listdir(self._directory)))
            return self._begin(trouble or ("the file head is missing" if has_segments else None))
        except LogDamaged as error:
            if trouble is not None and str(error) == OTHER_FORM:
                # After a reload with another dialect, the old process must not take the log back:
                # each append of the two would begin another epoch.
                raise LogUnavailable(
                    "a newer process of this server writes events in another form;"
                    " this process can append no more and should end"
                ) from error
            return self._begin(str(error))
        return epoch

    def begin(self, epoch: str, first: int = 0) -> Epoch:
        """Begin an epoch in the place of the one that is in use. Call it with the lock held.

        Args:
            epoch: the name of the epoch.
            first: the position of its begin entry.

        Raises:
            LogUnavailable: the files could not be made.
        """
        identity = self._identity(epoch)
        try:
            return Epoch.begin(self._directory, identity, self._limits, self._clock(), first)
        except OSError as error:
            raise files.unavailable(error, self._directory) from error

    def _begin(self, reason: str | None) -> Epoch:
        epoch = self.begin(new_epoch())
        if reason is not None:
            logger.warning(
                "the event log begins anew, so clients are told that they missed events",
                extra={"reason": reason},
            )
        return epoch

    def _identity(self, epoch: str) -> Identity:
        return Identity(epoch, self._signature, self._boot_id)

    @staticmethod
    def _clean(epoch: Epoch, lock: WriterLock) -> None:
        """Remove what a process that was killed has left behind, if nobody appends just now."""
        if not lock.try_to_acquire():
            return
        try:
            epoch.follow()
            epoch.remove_strays()
        except (LogDamaged, LogUnavailable):
            pass  # found again by the first read
        finally:
            lock.release()
