"""Native threads beside the event loop, such as the threads of ``cpu_bound`` tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.threadpool import ThreadPool

from tests.support.timing import TIME_LIMIT

__all__ = ["NativeCall", "begin_native", "run_native"]


class NativeCall:
    """A function call on a native thread.

    Args:
        pool: the pool whose thread runs the function.
        function: the function. An exception that it raises is raised only by :meth:`get`.
    """

    def __init__(self, pool: ThreadPool, function: Callable[[], Any]) -> None:
        self._function = function
        self._value: Any = None
        self._error: BaseException | None = None
        self._ended = pool.spawn(self._run)

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as exc:  # noqa: BLE001 - kept for get()
            self._error = exc

    def ready(self) -> bool:
        """Return True if the call has ended."""
        return bool(self._ended.ready())

    def get(self, timeout: float = TIME_LIMIT) -> Any:
        """Wait for the end of the call while the event loop runs, and return its result.

        Args:
            timeout: the time limit, in seconds.

        Raises:
            BaseException: the exception that the function raised.
            gevent.Timeout: the call did not end in time.
        """
        self._ended.get(timeout=timeout)
        if self._error is not None:
            raise self._error
        return self._value


def begin_native(*functions: Callable[[], Any]) -> list[NativeCall]:
    """Start each function on a native thread of its own, and return the calls."""
    pool = ThreadPool(len(functions))
    return [NativeCall(pool, function) for function in functions]


def run_native(*functions: Callable[[], Any]) -> list[Any]:
    """Run each function on a native thread of its own, at the same time, beside the event loop.

    Returns:
        The results, in the order of the functions.

    Raises:
        BaseException: the exception that one of the functions raised.
        gevent.Timeout: the functions did not end within TIME_LIMIT seconds.
    """
    begun = begin_native(*functions)
    with gevent.Timeout(TIME_LIMIT):
        return [call.get() for call in begun]
