"""Replaces native locks in modules that were imported before the process was patched.

Such a module keeps the native locks that it has created and the lock classes that it has imported
by name. A greenlet that waits for a native lock blocks the event loop; it blocks the loop forever
if the holder of the lock waits for another greenlet, such as one that is importing a module.
"""

from __future__ import annotations

import functools
import gc
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from gevent.monkey import get_original
from gevent.thread import LockType as GeventLock  # type: ignore[import-not-found]  # compiled

from gateway_shim.event_loop.locks.shared_condition import Condition
from gateway_shim.event_loop.locks.shared_lock import Lock, SharedLock

__all__ = ["replace_imported_locks"]

_LEFT_ALONE = frozenset({"_thread", "threading", "gevent", "gateway_shim", "app"})
"""Packages that are not changed: they use native locks on purpose.

``threading`` is patched name by name elsewhere."""

_allocate_native_lock = get_original("_thread", "allocate_lock")
_NativeLockMaker = get_original("threading", "Lock")
_NativeLock = type(_allocate_native_lock())
_PlainCondition = get_original("threading", "Condition")
_NativeRLock: Any = get_original("_thread", "RLock")


def replace_imported_locks() -> None:
    """Replace the native locks in all imported modules, except locks that are held now."""
    replaced: dict[int, Any] = {}  # by the id of the native lock: several names may refer to it
    for module, name, value in list(_named_values()):
        if value is _allocate_native_lock or value is _NativeLockMaker:
            setattr(module, name, SharedLock)
        elif value is GeventLock:
            setattr(module, name, Lock)
        elif value is _PlainCondition:
            setattr(module, name, Condition)
        elif _is_free(value):
            kind = threading.RLock if isinstance(value, _NativeRLock) else Lock
            setattr(module, name, replaced.setdefault(id(value), kind()))
    if sys.version_info < (3, 12):
        # In Python 3.11, a cached_property holds its lock while it computes its value.
        for found in gc.get_objects():
            if type(found) is functools.cached_property and _is_free(vars(found)["lock"]):
                vars(found)["lock"] = threading.RLock()


def _named_values() -> Iterator[tuple[ModuleType, str, object]]:
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        if str(names.get("__name__")).partition(".")[0] not in _LEFT_ALONE:
            for name, value in list(names.items()):
                yield module, name, value


def _is_free(lock: Any) -> bool:
    """Return whether an object is a native lock that is not held. Only one thread exists yet."""
    if isinstance(lock, _NativeRLock):
        return not lock._is_owned()
    return isinstance(lock, _NativeLock) and not lock.locked()
