"""Calls from other threads into the thread of the event loop.

Streams, tasks, and their watchers belong to the event loop's thread. A watcher that is created in
another thread belongs to that thread's own loop, which never runs, so bytes that wait for this
watcher are never written. Therefore public methods are decorated with :func:`from_any_thread`. In
the loop's thread the method runs at once. In any other thread the call *hops*: a greenlet of the
loop runs the method, and the calling thread blocks until the method has returned or raised.

- The calls of one thread run in order, because each call waits for its result. The calls of
  different threads run concurrently: a call that waits cooperatively does not delay the others.
- Each thread has at most one waiting call, so the number of threads bounds the queue.
- A hop waits for the loop. Never hop while holding a native lock that the loop's greenlets acquire.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

import gevent
from gevent.hub import get_hub
from gevent.monkey import get_original, is_module_patched

from gateway_shim.errors import LoopNotRunning

__all__ = ["LoopThread", "OfLoopThread", "from_any_thread", "native_ident"]

P = ParamSpec("P")
T = TypeVar("T")

native_ident: Callable[[], int] = get_original("_thread", "get_ident")
"""Returns the native identity of the calling thread. gevent's version identifies the greenlet."""

_allocate_native_lock = get_original("_thread", "allocate_lock")


class LoopThread:
    """The thread that runs the event loop. Runs functions there for other threads.

    Before :meth:`start`, no loop serves other threads, so there is nothing to protect and
    :meth:`run` calls the function directly. Until then the thread that created the object counts
    as the loop's thread. Call :meth:`start` in the serving process and thread; call :meth:`stop`
    at the end.

    Attributes:
        ident: the native identity of the loop's thread.
    """

    def __init__(self) -> None:
        self.ident = native_ident()
        self._mutex = _allocate_native_lock()  # held for moments; no greenlet switches meanwhile
        self._calls: deque[_Call] = deque()  # not started yet
        self._begun: set[_Call] = set()  # used only in the loop's thread
        self._watcher: Any = None
        self._ended = False

    @property
    def here(self) -> bool:
        """True if the caller is in the loop's thread."""
        return native_ident() == self.ident

    @property
    def serves_here(self) -> bool:
        """True if greenlets that are spawned in the calling thread will run.

        In a process that has neither started a loop nor been patched by gevent, such as that of
        ``flask run``, no loop runs.
        """
        return self.here and (self._watcher is not None or is_module_patched("socket"))

    def start(self) -> None:
        """Begin to serve other threads. Must be called in the loop's thread."""
        self.stop()
        self.ident = native_ident()
        # ref=False: this watcher alone must not keep the loop and the process alive.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._begin_calls)
        self._ended = False

    def stop(self) -> None:
        """Stop serving other threads. Waiting calls and later calls raise LoopNotRunning.

        Must be called in the loop's thread. A second call has no effect.
        """
        if self._watcher is None:
            return
        with self._mutex:
            watcher, self._watcher = self._watcher, None
            self._ended = True
            calls = [*self._calls, *self._begun]
            self._calls.clear()
        watcher.stop()
        watcher.close()
        for call in calls:
            call.settle(error=LoopNotRunning())

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the loop's thread, and wait for its result.

        Returns:
            The return value of the function.

        Raises:
            LoopNotRunning: the loop has ended before or during the call.
            BaseException: any exception that the function raised.
        """
        if self.here:
            return function(*args, **kwargs)
        call = _Call(functools.partial(function, *args, **kwargs))
        with self._mutex:
            if self._ended:
                raise LoopNotRunning
            started = self._watcher is not None
            if started:
                self._calls.append(call)
                # The only call of libev that is allowed from other threads. The lock keeps
                # stop() from closing the watcher meanwhile.
                self._watcher.send()
        return cast(T, call.wait()) if started else function(*args, **kwargs)

    def _begin_calls(self) -> None:
        while self._calls:
            call = self._calls.popleft()
            self._begun.add(call)
            gevent.spawn(self._carry_out, call)

    def _carry_out(self, call: _Call) -> None:
        try:
            call.carry_out()
        finally:
            self._begun.discard(call)


class _Call:
    """A call from another thread: the function and its outcome."""

    __slots__ = ("_done", "_error", "_function", "_result", "_settled")

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._result: object = None
        self._error: BaseException | None = None
        self._settled = False
        self._done = _allocate_native_lock()
        self._done.acquire()

    def carry_out(self) -> None:
        """Call the function. Runs in the loop's thread."""
        try:
            result = self._function()
        except BaseException as exc:  # noqa: BLE001 - raised again in the calling thread
            self.settle(error=exc)
        else:
            self.settle(result)

    def settle(self, result: object = None, *, error: BaseException | None = None) -> None:
        """Set the outcome and wake the calling thread. Only the first call has an effect."""
        if self._settled:
            return
        self._settled = True
        self._result, self._error = result, error
        self._done.release()

    def wait(self) -> object:
        """Block until the outcome is set. Must be called once, in the calling thread."""
        self._done.acquire()
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # its traceback refers to this frame


class OfLoopThread(Protocol):
    """An object with methods that may be called from any thread."""

    loop_thread: LoopThread


S = TypeVar("S", bound=OfLoopThread)


def from_any_thread(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method callable from any thread; it always runs in the loop's thread.

    Args:
        method: a method of an object with the attribute ``loop_thread``.

    Returns:
        The method. Called in another thread, it may raise
        :class:`~gateway_shim.errors.LoopNotRunning`.
    """

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop_thread = self.loop_thread
        if native_ident() == loop_thread.ident:
            return method(self, *args, **kwargs)
        return loop_thread.run(method, self, *args, **kwargs)

    return call
