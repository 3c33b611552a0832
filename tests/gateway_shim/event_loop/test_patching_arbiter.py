"""Tests of the patching of the arbiter's process, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from tests.support.timing import TIME_LIMIT

SHOW = """
    import os, queue, signal, socket, ssl, subprocess, threading, time
    import gevent.os, gevent.signal, gevent.socket, gevent.subprocess
    from gateway_shim.event_loop.child_watcher import ChildWatcher
    from gateway_shim.event_loop.locks.shared_lock import Lock

    def show():
        patched = [
            socket.socket is gevent.socket.socket,
            time.sleep is gevent.sleep,
            threading.Lock is Lock,
        ]
        child_handling = [
            os.fork is gevent.os.fork,
            os.waitpid is gevent.os.waitpid,
            os.close is gevent.os.close,
            signal.signal is gevent.signal.signal,
            subprocess.Popen is gevent.subprocess.Popen,
            subprocess.run is gevent.subprocess.run,
        ]
        print(all(patched), any(patched), all(child_handling), any(child_handling))
"""


def run(script: str) -> list[str]:
    """Run a script in a new process; return its output's lines. The script must not fail."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SHOW) + textwrap.dedent(script)],
        timeout=TIME_LIMIT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()


def test_the_arbiter_keeps_the_systems_child_handling() -> None:
    """Everything is patched but ``os``, ``signal`` and ``subprocess``; the worker patches these."""
    lines = run("""
        from gateway_shim.event_loop.patching import (
            patch_arbiter, patch_child_handling, support_native_threads
        )
        show()
        patch_arbiter()
        patch_arbiter()  # gunicorn reads its configuration file again at a reload
        show()
        gevent.monkey.patch_all()
        patch_child_handling()
        support_native_threads()
        show()
    """)
    assert lines == ["False False False False", "True True False False", "True True True True"]


def test_a_patched_process_stays_as_it_is() -> None:
    """A process that was patched before stays completely patched."""
    lines = run("""
        from gateway_shim.event_loop.patching import patch_arbiter, patch_process
        patch_process()
        patch_arbiter()
        show()
    """)
    assert lines == ["True True True True"]


def test_a_program_of_a_patched_arbiter() -> None:
    """The arbiter notices the end of a program without running an event loop."""
    lines = run("""
        from gateway_shim.event_loop.patching import patch_arbiter
        patch_arbiter()
        program = subprocess.Popen(["true"])
        while program.poll() is None:
            signal.sigtimedwait([], 0.001)
        print(program.returncode)
    """)
    assert lines == ["0"]


def test_children_of_a_patched_arbiter() -> None:
    """The arbiter forks, gets SIGCHLD without an event loop, and collects any child."""
    lines = run("""
        from gateway_shim.event_loop.patching import patch_arbiter
        patch_arbiter()
        socket.socket().close()  # makes gevent's loop, which must leave SIGCHLD alone
        signals = []
        signal.signal(signal.SIGCHLD, lambda sig, frame: signals.append(sig))
        time.sleep(0.001)
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        signal.sigtimedwait([], 0.001)
        while not signals:
            signal.sigtimedwait([], 0.001)
        found, status = os.waitpid(-1, os.WNOHANG)
        print(found == pid, os.waitstatus_to_exitcode(status))
    """)
    assert lines == ["True 7"]
