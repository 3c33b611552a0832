"""The resources of a process."""

from __future__ import annotations

import mmap
import os
import subprocess
import time

import pytest

from app.bench.measured.process_figures import (
    children,
    cpu_nanoseconds,
    kib_each,
    private_bytes,
    resident_bytes,
)
from tests.support.timing import TIME_LIMIT


def test_resident_bytes() -> None:
    """The resident memory grows with a large object."""
    before = resident_bytes(os.getpid())
    held = b"x" * 50_000_000
    assert 2**20 < before < resident_bytes(os.getpid()) - 40_000_000
    assert held


def test_private_bytes() -> None:
    """The private memory grows with a large object, and not with shared memory."""
    pid, size = os.getpid(), 50_000_000
    with mmap.mmap(-1, size) as shared:
        before, resident_before = private_bytes(pid), resident_bytes(pid)
        shared.write(b"x" * size)
        assert private_bytes(pid) < before + size // 5
        assert resident_bytes(pid) > resident_before + size // 2
    held = b"x" * size
    assert before + size // 2 < private_bytes(pid) < before + 2 * size
    assert held


def test_kib_each() -> None:
    """The memory of each stream is never negative, although a process may become smaller."""
    assert kib_each(81_920, 40) == 2
    assert kib_each(-4096, 40) == 0


def test_cpu_nanoseconds() -> None:
    """The CPU time grows with work, in ticks of 10 ms."""
    before, deadline = cpu_nanoseconds(os.getpid()), time.process_time() + 0.05
    while time.process_time() < deadline:
        pass
    assert 0.02 <= (cpu_nanoseconds(os.getpid()) - before) / 1e9 < 5


def test_children() -> None:
    """A process with one child has its PID, and a process without a child has none."""
    shell = subprocess.Popen(["sh", "-c", "echo; sleep 60; true"], stdout=subprocess.PIPE)
    try:
        assert shell.stdout is not None
        shell.stdout.readline()
        deadline = time.monotonic() + TIME_LIMIT
        while not (found := children(shell.pid)) and time.monotonic() < deadline:
            time.sleep(0.005)
        (child,) = found
        assert children(child) == []
        os.kill(child, 9)
    finally:
        shell.kill()
        shell.communicate()


def test_gone() -> None:
    """A process that has ended raises OSError."""
    process = subprocess.Popen(["true"])
    process.wait()
    with pytest.raises(OSError, match="No such"):
        resident_bytes(process.pid)
