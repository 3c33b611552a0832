"""Work without end, which must go on after an error that nobody expects."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

__all__ = ["PAUSE_SECONDS", "repeat"]

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 1.0
"""The pause after an error. Without it, an error that returns would take the whole processor."""


def repeat(work: Callable[[], None]) -> None:
    """Call some work that never returns, and call it again if an error has ended it.

    A greenlet that ends leaves all streams without events, and the process looks healthy. Call
    this in a new greenlet.

    Args:
        work: the work. It must go on where it was if it is called again.
    """
    while True:
        try:
            work()
        except Exception:
            logger.exception("the delivery of events has failed and is tried again")
            gevent.sleep(PAUSE_SECONDS)
