"""Threads that are started together and waited for, also by someone who was interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

__all__ = ["ThreadGroup"]

_TURN_SECONDS = 0.2


class ThreadGroup:
    """Runs each task in a thread of its own.

    Args:
        tasks: what to run; they raise nothing.

    Not ``Thread.join``: one that Ctrl-C has interrupted takes the thread for ended afterwards
    (CPython 3.11), and what it was about to clean up would be left.
    """

    def __init__(self, tasks: Iterable[Callable[[], None]]) -> None:
        self._done: list[threading.Event] = []
        for task in tasks:
            done = threading.Event()
            self._done.append(done)
            threading.Thread(target=self._run, args=(task, done), daemon=True).start()

    def wait(self) -> None:
        """Wait until all have ended; after an interruption it can be called again."""
        for done in self._done:
            # In turns: the system may give a signal to any thread, and Python runs its handler
            # when the main thread wakes up, which a wait without an end never does.
            while not done.wait(_TURN_SECONDS):
                pass

    @staticmethod
    def _run(task: Callable[[], None], done: threading.Event) -> None:
        try:
            task()
        finally:
            done.set()
