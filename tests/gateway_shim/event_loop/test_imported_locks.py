"""Locks from before the process was patched."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from tests.support.timing import TIME_LIMIT


def run(script: str) -> str:
    """The output of a Python process; fails if it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        timeout=TIME_LIMIT * 2,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


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
    from gateway_shim.event_loop.shared_lock import SharedLock
"""


def test_what_a_module_has_is_replaced() -> None:
    """Its locks, and the names by which it makes others; one lock with two names stays one."""
    script = """
        print(
            isinstance(early.one, SharedLock), early.one is early.two,
            isinstance(early.reentrant._block, SharedLock),
            isinstance(early.Lock(), SharedLock), isinstance(early.allocate_lock(), SharedLock),
        )
    """
    assert run(textwrap.dedent(MODULE) + textwrap.dedent(script)) == "True True True True True"


def test_a_lock_that_is_held_stays_as_it_is() -> None:
    """Its holder will release that one."""
    script = """
        print(early.held is held)
        early.held.release()
    """
    assert run(textwrap.dedent(MODULE) + textwrap.dedent(script)) == "True"


def test_the_libraries_that_the_arbiter_imports() -> None:
    """No native lock is left in them, nor in a cached_property."""
    script = """
        import app.config, app.serving.gunicorn_settings, gateway_shim.server.worker
        import functools, gc, ipaddress, sys
        from gateway_shim.event_loop.patching import patch_process
        from gateway_shim.event_loop.imported_locks import _LEFT_ALONE, _is_free, _named_values
        patch_process()
        from app import create_app
        create_app()
        print([(m.__name__, name) for m, name, value in _named_values()
               if _is_free(value) and m.__name__ != "__main__"])
        print([o for o in gc.get_objects()
               if type(o) is functools.cached_property and _is_free(getattr(o, "lock", None))])
    """
    assert run(script) == "[]\n[]"
