"""Orphans: processes whose parents have ended. The arbiter adopts them and collects their ends."""

from __future__ import annotations

import ctypes
import logging
import os

__all__ = ["adopt_orphans"]

logger = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans() -> None:
    """Become the parent of every descendant of this process whose own parent ends.

    Without this call an orphan becomes a child of the first process of the system or container. In
    a container the first process can be the small process that has unpacked the binary, or another
    program that waits only for its own children. A process that a task has started and left behind
    would then stay a zombie until the container ends.

    The arbiter waits for every child. If a child is not one of its workers, the arbiter only logs
    the child's end at the level ``debug``, whatever the exit status is.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        error = os.strerror(ctypes.get_errno())
        logger.warning(
            "orphans of tasks may stay zombies, because PR_SET_CHILD_SUBREAPER failed: %s", error
        )
