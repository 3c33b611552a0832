"""Native threads beside the event loop, as those of ``cpu_bound`` tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.threadpool import ThreadPool

from tests.support.timing import TIME_LIMIT

__all__ = ["NativeCall", "begin_native", "run_native"]


class NativeCall:
    """A function that runs on a native thread.

    Args:
        pool: whose thread it is.
        function: what to run. What it raises is kept for :meth:`get`; nobody else hears of it.
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
        """Whether it has ended."""
        return bool(self._ended.ready())

    def get(self, timeout: float = TIME_LIMIT) -> Any:
        """Wait, while the event loop goes on, and return what the function returned.

        Raises:
            BaseException: what the function raised.
            gevent.Timeout: it did not end in time.
        """
        self._ended.get(timeout=timeout)
        if self._error is not None:
            raise self._error
        return self._value


def begin_native(*functions: Callable[[], Any]) -> list[NativeCall]:
    """Begin each function on a native thread of its own."""
    pool = ThreadPool(len(functions))
    return [NativeCall(pool, function) for function in functions]


def run_native(*functions: Callable[[], Any]) -> list[Any]:
    """Run each function on a native thread of its own, side by side; the event loop goes on.

    Returns:
        What they returned, in their order.

    Raises:
        BaseException: what one of them raised.
        gevent.Timeout: they did not end within TIME_LIMIT seconds.
    """
    begun = begin_native(*functions)
    with gevent.Timeout(TIME_LIMIT):
        return [call.get() for call in begun]
