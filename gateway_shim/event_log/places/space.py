"""The free space of the file system of a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["free_bytes", "taken_bytes"]


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
