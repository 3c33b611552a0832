"""Freed memory goes back to the system: when it is worth it, and for real."""

from __future__ import annotations

import resource
import subprocess
import sys
from itertools import pairwise

import pytest

from gateway_shim.server.process.freed_memory import FreedMemory, resident_memory
from tests.gateway_shim.fakes import FakeClock
from tests.support.timing import TIME_LIMIT

MEGABYTE = 1_000_000


class Process:
    """A process whose time and memory stand still until a test changes them.

    Args:
        cost: seconds that giving back takes.
        resident: bytes; None: not known.

    Attributes:
        resident: the same; a test changes it.
        trims: when memory was given back.
    """

    def __init__(self, cost: float = 0.0, resident: int | None = 100 * MEGABYTE) -> None:
        self.clock = FakeClock()
        self.clock.now = 0.0
        self.resident = resident
        self.trims: list[float] = []
        self._cost = cost
        self._memory = FreedMemory(self.clock, lambda: self.resident, self._trim)

    def run(self, seconds: int) -> None:
        """Ask once a second, as a worker does."""
        for _ in range(seconds):
            self.clock.now += 1
            self._memory.give_back_if_due()

    def _trim(self) -> None:
        self.trims.append(self.clock.now)
        self.clock.now += self._cost


def test_a_process_that_has_not_grown_is_left_alone() -> None:
    """Nothing is asked for the few pages that come and go."""
    process = Process()
    process.resident = 104 * MEGABYTE
    process.run(100)
    assert process.trims == []


def test_a_process_that_has_grown_gives_back_until_it_is_small_again() -> None:
    """Every ten seconds: what is in use during a flood is free after it."""
    process = Process()
    process.resident = 150 * MEGABYTE
    process.run(35)
    assert process.trims == [10, 20, 30]
    process.resident = 101 * MEGABYTE
    process.run(60)
    assert process.trims == [10, 20, 30]


def test_the_smallest_counts() -> None:
    """A process that was large when it began is measured by what it has come down to."""
    process = Process()
    process.resident = 50 * MEGABYTE
    process.run(10)
    process.resident = 60 * MEGABYTE
    process.run(10)
    assert process.trims == [20]


def test_what_takes_long_is_done_less_often() -> None:
    """A thousandth of the time at most."""
    process = Process(cost=0.05)
    process.resident = 200 * MEGABYTE
    process.run(170)
    pauses = [later - earlier for earlier, later in pairwise(process.trims)]
    assert pauses
    assert min(pauses) >= 50


def test_an_unknown_size_is_asked_for_again() -> None:
    """No descriptor is free to read it with: that must not end the worker."""
    process = Process()
    process.resident = None
    process.run(10)
    process.resident = 150 * MEGABYTE
    process.run(10)
    assert process.trims == [20]


def test_a_size_that_is_never_known() -> None:
    """Where there is no ``/proc``, nothing is done."""
    process = Process(resident=None)
    process.run(100)
    assert process.trims == []


def test_a_library_that_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing happens, and nothing fails."""
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
    held.append((freed, bytes(1_000)))  # something behind each that stays
for number, (freed, kept) in enumerate(held):
    held[number] = kept
    del freed[:]
large = resident_memory()
now = 100.0
memory.give_back_if_due()
print(before, large, resident_memory())
"""


def test_it_is_given_back_for_real() -> None:
    """Of a hundred freed megabytes with holes between them, nearly all."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=TIME_LIMIT)
    before, large, now = map(int, done.stdout.split())
    assert large - before > 80 * MEGABYTE
    assert now - before < 20 * MEGABYTE


def test_resident_memory() -> None:
    """It grows with what is written to."""
    before = resident_memory()
    data = b"x" * (50 * MEGABYTE)
    after = resident_memory()
    assert before is not None
    assert after is not None
    assert 40 * MEGABYTE < after - before < 80 * MEGABYTE
    del data


def test_no_descriptor_is_free() -> None:
    """It is not known then, and nothing is raised."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        found = resident_memory()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert found is None
