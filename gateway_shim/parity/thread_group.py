"""Groups of threads that can be awaited again after an interruption."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

__all__ = ["ThreadGroup"]

_WAIT_SECONDS = 0.2


class ThreadGroup:
    """Runs each task in its own thread.

    Args:
        tasks: the functions to run; they must not raise, and their results are ignored.

    This class does not use ``Thread.join``. After Ctrl-C has interrupted a join, the next join
    returns at once, although the thread still runs (CPython 3.11), and the thread's cleanup would
    be lost.
    """

    def __init__(self, tasks: Iterable[Callable[[], object]]) -> None:
        self._done: list[threading.Event] = []
        for task in tasks:
            done = threading.Event()
            self._done.append(done)
            threading.Thread(target=self._run, args=(task, done), daemon=True).start()

    def wait(self) -> None:
        """Wait until all tasks have ended; can be called again after an interruption."""
        for done in self._done:
            # The wait has a time limit, because the system may give a signal to any thread.
            # Python runs the handler when the main thread wakes up, and a wait without a limit
            # does not wake up for such a signal.
            while not done.wait(_WAIT_SECONDS):
                pass

    @staticmethod
    def _run(task: Callable[[], object], done: threading.Event) -> None:
        try:
            task()
        finally:
            done.set()
