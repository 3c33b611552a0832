"""The thread of the event loop, and how other threads call into it.

Streams, tasks and their watchers belong to the event loop's thread. A watcher that is made in
another thread hangs on that thread's own loop, which never runs: bytes that wait for such a
watcher are never written. So public methods are decorated with :func:`from_any_thread`: those of
``Gateway`` (``send``, ``broadcast``, ``publish``, ``close``, ``drain`` and its counters),
ConnectionManager, VersionService, TaskService, and the shutdown of ShutdownCoordinator. In the
loop's thread the method runs at once. In any other thread the call *hops*: a greenlet of the loop
runs the method, and the calling thread waits natively until the method has returned or raised.

- A result means the same in every thread. After ``True`` or ``ok`` the bytes are with the kernel,
  or they wait in the stream's backlog, which the loop writes.
- The calls of one thread run in order, because each call waits for its end. The calls of
  different threads run side by side: a call that blocks cooperatively does not delay the others.
- A thread has at most one call under way, so the number of threads bounds the calls that wait. A
  slow loop slows its callers down.
- After the loop has ended, calls raise ``LoopNotRunning``, and so do the calls that wait then.
- A task that is cancelled during a call learns this at its next call of the progress handle.
- A hop waits for the loop. Never hop while holding a native lock that the loop's greenlets take:
  the process would stop. So a logging handler must never hop, because it holds its own lock.

``Gateway.open`` does not hop. It raises ``NotAllowedHere`` outside the loop's thread. In a process
whose loop never runs, such as the process of ``flask run``, streams and tasks are refused with 503.
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
"""Returns the native identity of the calling thread. gevent's function identifies the greenlet."""

_allocate_native_lock = get_original("_thread", "allocate_lock")


class LoopThread:
    """The event loop's thread, where functions of other threads can be run.

    Before :meth:`start`, no loop serves other threads, and :meth:`run` calls the function
    directly. Until then, the thread that made the object counts as the loop's thread. Call
    :meth:`start` in the process and the thread that serve. Call :meth:`stop` at the end.

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
        """True in the loop's thread."""
        return native_ident() == self.ident

    @property
    def serves_here(self) -> bool:
        """True if greenlets that are spawned in the calling thread will run.

        The loop never runs in a process that has not called :meth:`start` and is not patched by
        gevent, such as the process of ``flask run``.
        """
        return self.here and (self._watcher is not None or is_module_patched("socket"))

    def start(self) -> None:
        """Begin to serve other threads. Call this in the loop's thread."""
        self.stop()
        self.ident = native_ident()
        # ref=False: the watcher alone must not keep the loop, and so the process, alive.
        self._watcher = get_hub().loop.async_(ref=False)
        self._watcher.start(self._begin_calls)
        self._ended = False

    def stop(self) -> None:
        """Stop serving other threads. Calls that wait, and later calls, raise LoopNotRunning.

        Call this in the loop's thread. A second call changes nothing.
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
        """Call a function in the loop's thread and wait until it returns.

        Returns:
            What the function returned.

        Raises:
            LoopNotRunning: the loop ended before the call or during it.
            BaseException: whatever the function raises.
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
                # send() is the only call of libev that another thread may make. The lock keeps
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
    """One call of another thread: the function, and its result or error."""

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
        """Let the calling thread go on. Only the first call counts. Runs in the loop's thread."""
        if self._settled:
            return
        self._settled = True
        self._result, self._error = result, error
        self._done.release()

    def wait(self) -> object:
        """Wait natively for the end of the call. Runs once, in the calling thread."""
        self._done.acquire()
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # the traceback refers to this frame


class OfLoopThread(Protocol):
    """An object whose methods may be called from any thread."""

    loop_thread: LoopThread


S = TypeVar("S", bound=OfLoopThread)


def from_any_thread(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method callable from any thread. The method runs in the loop's thread.

    Args:
        method: a method of an object whose ``loop_thread`` is the loop's thread.

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
