"""Tests of the adoption of processes whose parents have ended."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from gateway_shim.server.process.orphans import adopt_orphans

SCRIPT = """
import os, subprocess
from gateway_shim.server.process.orphans import adopt_orphans

adopt_orphans()
# The shell ends at once. Its background process ends when the pipe is closed. A shell gives its
# background processes no standard input, so the pipe has another number.
shell = ["sh", "-c", "exec 3<&0; (read line <&3; exit 3) & echo $!"]
parent = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
orphan = int(parent.stdout.readline())
parent.wait()
parent.stdin.close()
pid, status = os.waitpid(-1, 0)
print(pid == orphan, os.waitstatus_to_exitcode(status))
"""


def test_an_orphan() -> None:
    """An orphan becomes a child of the process that adopts orphans.

    This runs in a process of its own that is not patched.
    """
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True 3\n", "")


def test_a_system_that_refuses(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning is logged if the system refuses, and the server starts."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(prctl=lambda *_: -1))
    ctypes.set_errno(22)
    adopt_orphans()
    assert [record.message for record in caplog.records] == [
        "orphans of tasks may stay zombies, because PR_SET_CHILD_SUBREAPER failed: Invalid argument"
    ]
