"""Makes ``subprocess`` and related functions work in the event loop and in native threads.

gevent replaces these functions by versions that wait in the event loop. In any other thread they
fail, some of them after the command has run. With this module, the event loop's thread uses
gevent's versions and every other thread uses those of the standard library.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

import gevent.os
import gevent.subprocess
from gevent.hub import _get_hub  # type: ignore[attr-defined]  # not in its stubs
from gevent.monkey import get_original

from gateway_shim.errors import NotAllowedHere
from gateway_shim.event_loop.child_watcher import wait_for_child

__all__ = ["share_children"]

_get_native_ident = get_original("_thread", "get_ident")


def share_children() -> None:
    """Allow child processes in native threads. Call this once, in the event loop's thread."""
    loop_thread = _get_native_ident()

    def here() -> bool:
        return bool(_get_native_ident() == loop_thread)

    # gevent closes a descriptor in the loop's next round; a native thread's loop may never run.
    # By setattr, as below: an assignment to a function of a module is an error for mypy.
    setattr(os, "close", _by_thread(here, gevent.os.close, get_original("os", "close")))  # noqa: B010
    for name in ("posix_spawn", "posix_spawnp"):  # gevent's versions watch the child
        if hasattr(os, name):
            setattr(os, name, get_original("os", name))
    os.waitpid = _waitpid(here)
    for name in ("wait", "wait3"):
        setattr(os, name, _refuse_any_child)
    # Only now, because the copy imports os.waitpid. A copy of the module is needed because gevent
    # has removed parts of it that the standard library's class needs.
    native = _copy_of(subprocess)
    for name in ("SubprocessError", "CalledProcessError", "TimeoutExpired", "CompletedProcess"):
        setattr(native, name, getattr(subprocess, name))
    setattr(subprocess, "Popen", _popen_by_thread(here, native.Popen))  # noqa: B010 - a type
    # The standard library's functions use the current value of subprocess.Popen.
    for name in ("run", "call", "check_call", "check_output"):
        setattr(subprocess, name, get_original("subprocess", name))


def _by_thread(
    here: Callable[[], bool], cooperative: Callable[..., Any], native: Callable[..., Any]
) -> Callable[..., Any]:
    @functools.wraps(native)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (cooperative if here() else native)(*args, **kwargs)

    return call


def _waitpid(here: Callable[[], bool]) -> Callable[[int, int], tuple[int, int]]:
    native = get_original("os", "waitpid")

    @functools.wraps(native)
    def waitpid(pid: int, options: int) -> tuple[int, int]:
        if pid <= 0:
            _refuse_any_child()
        if here() and pid in gevent.os._watched_children:  # type: ignore[attr-defined]  # gevent's
            return gevent.os.waitpid(pid, options)
        if not options and (here() or _get_hub() is not None):
            # A native thread may have greenlets as well, for example asyncio's executor.
            return wait_for_child(pid)
        return native(pid, options)  # type: ignore[no-any-return]  # Python's

    return waitpid


def _refuse_any_child(*_: object) -> NoReturn:
    raise NotAllowedHere(
        "waiting for any child is refused: it would take the exit statuses that other code waits"
        " for; wait for one child by its process id"
    )


def _copy_of(module: ModuleType) -> Any:
    spec = importlib.util.find_spec(module.__name__)
    if spec is None or spec.loader is None:
        raise ImportError(f"{module.__name__} cannot be loaded a second time")
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def _popen_by_thread(here: Callable[[], bool], native: type[Any]) -> type[Any]:
    """Return a class whose instances are of the kind that the calling thread needs."""

    kinds = (gevent.subprocess.Popen, native, get_original("subprocess", "Popen"))

    class ByThread(type):
        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            # A user's subclass derives from gevent's class in any thread.
            if cls is Popen and not here():
                return native(*args, **kwargs)
            return super().__call__(*args, **kwargs)

        def __instancecheck__(cls, instance: object) -> bool:
            if cls is Popen:
                return isinstance(instance, kinds)
            return super().__instancecheck__(instance)

    class Popen(gevent.subprocess.Popen[Any], metaclass=ByThread):
        __doc__ = native.__doc__

    Popen.__module__ = "subprocess"
    Popen.__qualname__ = "Popen"
    return Popen
