"""The functions that load what this process must know, each in a greenlet of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable

import gevent

__all__ = ["Joining"]

logger = logging.getLogger(__name__)


class Joining:
    """The functions that run when this process begins to read notes, and after it has missed some.

    A function never runs twice at the same time. If it is called for while it runs, it runs again
    at its end.
    """

    def __init__(self) -> None:
        self._handlers: list[Callable[[], None]] = []
        # The handlers that run; True: once more.
        self._running: dict[int, bool] = {}
        self._greenlets: set[gevent.Greenlet[..., None]] = set()

    def add(self, handler: Callable[[], None]) -> None:
        """Add a function. An exception of it is logged."""
        self._handlers.append(handler)

    def run(self) -> None:
        """Run all functions. Does not wait."""
        for index in range(len(self._handlers)):
            if index in self._running:
                self._running[index] = True
                continue
            self._running[index] = False
            greenlet = gevent.spawn(self._run, index)
            self._greenlets.add(greenlet)
            greenlet.link(self._greenlets.discard)

    def close(self) -> None:
        """Stop the functions that run. Other greenlets run meanwhile."""
        gevent.killall(list(self._greenlets))
        self._running.clear()

    def _run(self, index: int) -> None:
        again = True
        while again:
            self._running[index] = False
            try:
                self._handlers[index]()
            except Exception:
                logger.exception("what other processes know was not loaded")
            again = self._running[index]
        del self._running[index]
