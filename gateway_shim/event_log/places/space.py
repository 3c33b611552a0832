"""The free space of the file system of a folder."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from gateway_shim.event_log.places.place import LogPlace

__all__ = ["free_bytes", "problem_of_next_workers", "taken_bytes"]

WORKER_BYTES = 128 * 1024
"""The space that a worker needs at its start for its files beside the log, without the log."""


def free_bytes(folder: Path) -> int:
    """Return how many bytes a user without privileges can still write to a folder.

    Raises:
        OSError: the folder does not exist or cannot be read.
    """
    found = os.statvfs(folder)
    if found.f_blocks == 0:  # a tmpfs without a limit
        return sys.maxsize
    return found.f_bavail * found.f_frsize


def taken_bytes(folder: Path) -> int:
    """Return how many bytes the files directly in a folder take; 0 if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat(follow_symlinks=False).st_blocks for entry in entries) * 512
    except OSError:
        return 0


def problem_of_next_workers(place: LogPlace | None) -> str | None:
    """Return why several workers could not start in a place now; None if they could.

    One worker can always start, because its log may be in memory.
    """
    if place is None or place.workers == 1:
        return None
    try:
        place.directory.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=place.directory) as file:
            os.posix_fallocate(file.fileno(), 0, place.workers * WORKER_BYTES)
    except OSError as exc:
        reason = f"{place.workers} workers need files there"
        return f"cannot use {place.directory}: {exc.strerror}; {reason}"
    return None
