"""Locks that modules got before the process was patched."""

from __future__ import annotations

import pytest

from tests.gateway_shim.event_loop.python_process import run_python

pytestmark = pytest.mark.slow

MODULE = """
    import sys, types, threading, _thread
    early = types.ModuleType("early")
    sys.modules["early"] = early
    early.Lock, early.allocate_lock = threading.Lock, _thread.allocate_lock
    early.one, early.held, early.reentrant = threading.Lock(), threading.Lock(), threading.RLock()
    early.two = early.one
    held, _ = early.held, early.held.acquire()

    from gateway_shim.event_loop.patching import patch_process
    patch_process()
    from gateway_shim.event_loop.locks.shared_lock import SharedLock
"""


def test_what_a_module_has_is_replaced() -> None:
    """Locks and lock types of a module are replaced, and one lock with two names stays one lock."""
    script = """
        print(
            isinstance(early.one, SharedLock), early.one is early.two,
            isinstance(early.reentrant._block, SharedLock),
            isinstance(early.Lock(), SharedLock), isinstance(early.allocate_lock(), SharedLock),
        )
    """
    assert run_python(MODULE, script) == "True True True True True"


def test_a_lock_that_is_held_stays_as_it_is() -> None:
    """A lock that is held is not replaced, because its holder will release it."""
    script = """
        print(early.held is held)
        early.held.release()
    """
    assert run_python(MODULE, script) == "True"


def test_the_libraries_that_the_arbiter_imports() -> None:
    """The imported libraries have no native lock left, nor does any cached_property."""
    script = """
        import app.config, app.serving.gunicorn_settings, gateway_shim.server.worker
        import functools, gc, ipaddress, sys
        from gateway_shim.event_loop.patching import patch_process
        from gateway_shim.event_loop.locks import imported_locks
        from gateway_shim.event_loop.locks.imported_locks import _is_free, _named_values
        patch_process()
        from app import create_app
        create_app()
        print([(m.__name__, name) for m, name, value in _named_values()
               if _is_free(value) and m.__name__ != "__main__"])
        print([o for o in gc.get_objects()
               if type(o) is functools.cached_property and _is_free(getattr(o, "lock", None))])
    """
    assert run_python(script) == "[]\n[]"
