"""Tests of the return of freed memory, with simulated processes and with a real one."""

from __future__ import annotations

import mmap
import resource
import subprocess
import sys
from itertools import pairwise

import pytest

from gateway_shim.server.process.freed_memory import FreedMemory, resident_memory
from tests.gateway_shim.fakes import FakeClock
from tests.support.timing import TIME_LIMIT

MEGABYTE = 1_000_000


class SimulatedProcess:
    """A process whose time and memory change only when a test changes them.

    Args:
        cost: the time that returning memory takes, seconds.
        resident: the resident memory, bytes; None if it is unknown.

    Attributes:
        resident: as above; a test changes it.
        trims: the times at which memory was returned.
    """

    def __init__(self, cost: float = 0.0, resident: int | None = 100 * MEGABYTE) -> None:
        self.clock = FakeClock()
        self.clock.now = 0.0
        self.resident = resident
        self.trims: list[float] = []
        self._cost = cost
        self._memory = FreedMemory(self.clock, lambda: self.resident, self._trim)

    def run(self, seconds: int) -> None:
        """Call ``give_back_if_due`` once a second, as a worker does."""
        for _ in range(seconds):
            self.clock.now += 1
            self._memory.give_back_if_due()

    def _trim(self) -> None:
        self.trims.append(self.clock.now)
        self.clock.now += self._cost


def test_a_process_that_has_not_grown_is_left_alone() -> None:
    """A process that grows by 4 % returns no memory."""
    process = SimulatedProcess()
    process.resident = 104 * MEGABYTE
    process.run(100)
    assert process.trims == []


def test_a_process_that_has_grown() -> None:
    """A process that has grown returns memory every ten seconds until it is small again."""
    process = SimulatedProcess()
    process.resident = 150 * MEGABYTE
    process.run(35)
    assert process.trims == [10, 20, 30]
    process.resident = 101 * MEGABYTE
    process.run(60)
    assert process.trims == [10, 20, 30]


def test_the_smallest_size_counts() -> None:
    """A process is compared with its smallest size, not with its size at the start."""
    process = SimulatedProcess()
    process.resident = 50 * MEGABYTE
    process.run(10)
    process.resident = 60 * MEGABYTE
    process.run(10)
    assert process.trims == [20]


def test_slow_returns_are_rare() -> None:
    """Returning memory takes at most a thousandth of the time."""
    process = SimulatedProcess(cost=0.05)
    process.resident = 200 * MEGABYTE
    process.run(170)
    pauses = [later - earlier for earlier, later in pairwise(process.trims)]
    assert pauses
    assert min(pauses) >= 50


def test_an_unknown_size_is_asked_for_again() -> None:
    """If the size cannot be read, the worker reads it again later."""
    process = SimulatedProcess()
    process.resident = None
    process.run(10)
    process.resident = 150 * MEGABYTE
    process.run(10)
    assert process.trims == [20]


def test_a_size_that_is_never_known() -> None:
    """Without ``/proc`` no memory is returned."""
    process = SimulatedProcess(resident=None)
    process.run(100)
    assert process.trims == []


def test_a_library_without_malloc_trim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``malloc_trim`` no memory is returned, and nothing fails."""
    monkeypatch.setattr("gateway_shim.server.process.freed_memory._malloc_trim", lambda: None)
    clock = FakeClock()
    sizes = [MEGABYTE, 1000 * MEGABYTE]
    memory = FreedMemory(clock, lambda: sizes.pop(0))
    clock.now += 100
    memory.give_back_if_due()


PROGRAM = """
from gateway_shim.server.process.freed_memory import FreedMemory, resident_memory
now = 0.0
memory = FreedMemory(lambda: now)
before = resident_memory()
held = []
for number in range(1000):
    freed = [bytes(50_000) for _ in range(2)]
    held.append((freed, bytes(1_000)))  # a block behind the freed ones that stays in use
for number, (freed, kept) in enumerate(held):
    held[number] = kept
    del freed[:]
large = resident_memory()
now = 100.0
memory.give_back_if_due()
print(before, large, resident_memory())
"""


def test_a_real_process() -> None:
    """A real process returns nearly all of a hundred freed megabytes."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIME_LIMIT)
    before, large, now = map(int, done.stdout.split())
    assert large - before > 80 * MEGABYTE
    assert now - before < 20 * MEGABYTE


def test_resident_memory() -> None:
    """The resident memory grows by the memory that is written to."""
    before = resident_memory()
    # New pages of the kernel: bytes of Python could come from memory that earlier tests have freed.
    with mmap.mmap(-1, 50 * MEGABYTE) as data:
        for _ in range(50):
            data.write(b"x" * MEGABYTE)
        after = resident_memory()
    assert before is not None
    assert after is not None
    assert 40 * MEGABYTE < after - before < 80 * MEGABYTE


def test_no_descriptor_is_free() -> None:
    """Without a free descriptor the memory is unknown, and nothing is raised."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        found = resident_memory()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert found is None
