"""Processes whose parents have ended: the arbiter takes them in, so that none stays a zombie."""

from __future__ import annotations

import ctypes
import logging
import os

__all__ = ["adopt_orphans"]

logger = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends.

    Otherwise an orphan becomes a child of the first process of the system or container. There that
    is the small process that has unpacked the binary, or any other that waits for its own children
    only: what a task has started and left behind would stay a zombie until the container ends.

    gunicorn's arbiter waits for every child. Of those that are no workers of its own it notes the
    end at the level ``debug``, and does nothing else, whatever their exit status is.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        error = os.strerror(ctypes.get_errno())
        logger.warning("orphans of tasks may stay zombies: PR_SET_CHILD_SUBREAPER: %s", error)
