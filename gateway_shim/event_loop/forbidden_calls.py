"""Refuses calls that would stop the event loop or copy the serving process.

- **A copy of the process** (``os.fork``, ``multiprocessing``) keeps the listening socket and the
  socket of every stream. It also has the greenlets of the event loop, which would go on to serve
  with these sockets, but not the threads.
- **multiprocessing that starts programs** (*spawn*, *forkserver*) runs the server's main module
  again in each program. In the one-file binary that is the whole server. It waits for the programs
  with helper threads that gevent has patched: in a greenlet task, a server that answered no
  request for 120 s was seen.
- **asyncio in the event loop's thread** has a loop of its own there. Only one greenlet at a time
  may run such a loop; the second one fails. In other threads asyncio works.

docs/tasks.md lists the calls for authors of tasks.
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

    Call this in the process that serves, not in its parent, which forks. ``subprocess`` still
    works.
    """

    def refuse_fork(*_: object, **__: object) -> NoReturn:
        raise NotAllowedHere(_NO_FORK)

    def refuse_process(_: object) -> NoReturn:
        raise NotAllowedHere(_NO_MULTIPROCESSING)

    def refuse_pool(cls: type[Any], *_: object, **__: object) -> Any:
        if issubclass(cls, ThreadPool):  # a pool of threads, but a subclass of Pool
            return object.__new__(cls)
        raise NotAllowedHere(_NO_MULTIPROCESSING)

    for module in (os, posix, gevent.os, gevent):
        for name in _FORKS:
            if hasattr(module, name):
                setattr(module, name, refuse_fork)
    setattr(BaseProcess, "start", refuse_process)  # noqa: B010 - mypy refuses an assignment
    # A pool would start a process for its locks before its first worker. The refusal is in __new__
    # because a half-made object warns when it is deleted.
    for pool in (Pool, ProcessPoolExecutor):
        setattr(pool, "__new__", refuse_pool)  # noqa: B010 - as above


def refuse_asyncio() -> None:
    """Refuse to run asyncio in the calling thread, which runs the event loop.

    Other threads may run asyncio. The refusal comes before any coroutine has run. The first loop is
    refused too, not only a second one.
    """
    loop_thread = _get_native_ident()

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if _get_native_ident() != loop_thread:
                return function(*args, **kwargs)
            for argument in (*args, *kwargs.values()):
                if inspect.iscoroutine(argument):
                    argument.close()  # otherwise Python warns that it was never awaited
            raise NotAllowedHere(_NO_ASYNCIO)

        return call

    asyncio.run = asyncio.runners.run = refusing(asyncio.runners.run)
    for owner, names in (
        (asyncio.Runner, ("__enter__", "run", "get_loop")),
        (BaseEventLoop, ("run_until_complete", "run_forever")),
    ):
        for name in names:
            setattr(owner, name, refusing(getattr(owner, name)))
