"""The thread of the event loop, and how other threads call into it.

Streams, tasks and their watchers belong to the event loop's thread. A watcher that is made in
another thread hangs on that thread's own loop, which never runs: bytes that wait for it are
never written. So a public method is decorated with :func:`from_any_thread`. In the loop's thread
the method runs at once. In any other thread the call *hops*: a greenlet of the loop runs the
method, and the calling thread waits natively until the method has returned or raised.

- The calls of one thread run in their order, because each call waits for its end. The calls of
  different threads run side by side: one that blocks cooperatively does not hold up the others.
- At most one call of each thread waits, so what waits is bounded by the number of threads.
- A hop waits for the loop. Never hop while holding a native lock that the loop's greenlets take.
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
"""Tells the calling thread's native identity: gevent's own tells that of the greenlet."""

_allocate_native_lock = get_original("_thread", "allocate_lock")


class LoopThread:
    """Knows which thread runs the event loop, and runs functions there for other threads.

    Until :meth:`start` no loop serves other threads, so there is nothing to protect, and
    :meth:`run` calls directly. The thread that makes the object counts as the loop's until then.
    Call :meth:`start` in the process and the thread that serve; call :meth:`stop` at the end.

    Attributes:
        ident: the native identity of the loop's thread.
    """

    def __init__(self) -> None:
        self.ident = native_ident()
        self._mutex = _allocate_native_lock()  # held for moments; nothing switches meanwhile
        self._calls: deque[_Call] = deque()  # not begun yet
        self._begun: set[_Call] = set()  # touched in the loop's thread only
        self._watcher: Any = None
        self._ended = False

    @property
    def here(self) -> bool:
        """Return whether the caller is in the loop's thread."""
        return native_ident() == self.ident

    @property
    def serves_here(self) -> bool:
        """Return whether greenlets that are spawned in the calling thread will run.

        Nobody runs the loop of a process that is neither started nor patched by gevent, such as
        that of ``flask run``.
        """
        return self.here and (self._watcher is not None or is_module_patched("socket"))

    def start(self) -> None:
        """Serve other threads from now on. Call it in the loop's thread."""
        self.stop()
        self.ident = native_ident()
        # ref=False: the watcher alone must not keep the loop, and so the process, alive.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._begin_calls)
        self._ended = False

    def stop(self) -> None:
        """Stop serving other threads: calls that wait, and later ones, raise LoopNotRunning.

        Call it in the loop's thread. A second call changes nothing.
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
        """Call a function in the loop's thread, and wait for its end.

        Returns:
            What the function returned.

        Raises:
            LoopNotRunning: the loop has ended, before the call or during it.
            BaseException: what the function raised.
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
                # The one call of libev that another thread may make. Under the lock, so that
                # stop() does not close the watcher meanwhile.
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
    """One call of another thread: what to call, and what came of it."""

    __slots__ = ("_done", "_error", "_function", "_result", "_settled")

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._result: object = None
        self._error: BaseException | None = None
        self._settled = False
        self._done = _allocate_native_lock()
        self._done.acquire()

    def carry_out(self) -> None:
        """Call the function. In the loop's thread."""
        try:
            result = self._function()
        except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the caller's
            self.settle(error=exc)
        else:
            self.settle(result)

    def settle(self, result: object = None, *, error: BaseException | None = None) -> None:
        """Let the calling thread go on; the first time counts. In the loop's thread."""
        if self._settled:
            return
        self._settled = True
        self._result, self._error = result, error
        self._done.release()

    def wait(self) -> object:
        """Wait natively for the end of the call. In the calling thread, once."""
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
    """Let a method be called from any thread: it runs in the loop's thread.

    Args:
        method: of an object whose ``loop_thread`` says which thread that is.

    Returns:
        The method. In another thread it may raise :class:`~gateway_shim.errors.LoopNotRunning`.
    """

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop_thread = self.loop_thread
        if native_ident() == loop_thread.ident:
            return method(self, *args, **kwargs)
        return loop_thread.run(method, self, *args, **kwargs)

    return call
