"""Refuses calls that would stop the event loop or copy the serving process.

- **A copy of the process** (``os.fork``, ``multiprocessing``) keeps the listening socket and every
  stream's, and has the event loop's greenlets but not its threads. ``multiprocessing`` that starts
  programs instead (*spawn*, *forkserver*) runs the server's main module again in each of them, and
  waits for them with helper threads that gevent has patched: it can stop the loop.
- **asyncio in the event loop's thread** has its own loop there, and only one greenlet at a time
  may run one: the second fails. In other threads it works.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import posix
from asyncio.base_events import BaseEventLoop
from collections.abc import Callable
from concurrent.futures.process import ProcessPoolExecutor
from multiprocessing.pool import Pool, ThreadPool
from multiprocessing.process import BaseProcess
from typing import Any, NoReturn

import gevent.os
from gevent.monkey import get_original

from gateway_shim.errors import NotAllowedHere

__all__ = ["refuse_asyncio", "refuse_copies"]

_get_native_ident = get_original("_thread", "get_ident")

_FORKS = (
    *("fork", "fork_gevent", "fork_and_watch"),
    *("forkpty", "forkpty_gevent", "forkpty_and_watch"),
)

_NO_FORK = (
    "os.fork is refused in the serving process: the copy would keep every client's socket."
    " Run a program with subprocess instead"
)
_NO_MULTIPROCESSING = (
    "multiprocessing is refused in the serving process: it does not work beside the event loop,"
    " and a copy of the process would keep every client's socket. Run a program with subprocess"
    " instead, from a task with cpu_bound = True"
)
_NO_ASYNCIO = (
    "asyncio is refused in the thread of the event loop, where only one task at a time could use"
    " it. Declare the task cpu_bound = True: it then runs on a thread of its own"
)


def refuse_copies() -> None:
    """Refuse to copy this process or to start one by ``multiprocessing``, in every thread.

    Call it in the process that serves, not in one that forks those. ``subprocess`` still works.
    """

    def refuse_fork(*_: object, **__: object) -> NoReturn:
        raise NotAllowedHere(_NO_FORK)

    def refuse_process(_: object) -> NoReturn:
        raise NotAllowedHere(_NO_MULTIPROCESSING)

    def refuse_pool(cls: type[Any], *_: object, **__: object) -> Any:
        if issubclass(cls, ThreadPool):  # by its name no pool of processes, but its subclass
            return object.__new__(cls)
        raise NotAllowedHere(_NO_MULTIPROCESSING)

    for module in (os, posix, gevent.os, gevent):
        for name in _FORKS:
            if hasattr(module, name):
                setattr(module, name, refuse_fork)
    setattr(BaseProcess, "start", refuse_process)  # noqa: B010
    # These would start a process for their locks before they start one of their own. In __new__,
    # since an object that is half made warns when it is deleted.
    for pool in (Pool, ProcessPoolExecutor):
        setattr(pool, "__new__", refuse_pool)  # noqa: B010


def refuse_asyncio() -> None:
    """Refuse to run asyncio in the calling thread, the event loop's; other threads may.

    Before any coroutine has run, and always: not only when a second one comes.
    """
    loop_thread = _get_native_ident()

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if _get_native_ident() != loop_thread:
                return function(*args, **kwargs)
            for argument in (*args, *kwargs.values()):
                if inspect.iscoroutine(argument):
                    argument.close()  # else Python warns that nobody has awaited it
            raise NotAllowedHere(_NO_ASYNCIO)

        return call

    asyncio.run = asyncio.runners.run = refusing(asyncio.runners.run)
    for owner, names in (
        (asyncio.Runner, ("__enter__", "run", "get_loop")),
        (BaseEventLoop, ("run_until_complete", "run_forever")),
    ):
        for name in names:
            setattr(owner, name, refusing(getattr(owner, name)))
