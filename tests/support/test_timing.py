"""Tests of the wait for a condition, and of the stopwatch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.timing import Stopwatch, TimeLimitPassed, wait_until

BURNED = 0.2
"""The processor time of the work that is measured, in seconds."""


def test_returns_first_true_answer() -> None:
    """The first true result is returned, and the function is not called again."""
    answers = iter([0, "", "yes"])
    assert wait_until(lambda: next(answers), "an answer") == "yes"
    assert list(answers) == []


def test_says_what_was_waited_for() -> None:
    """The error after the time limit names the condition."""
    with pytest.raises(TimeLimitPassed, match=r"^waited 0\.0 s for a sign$"):
        wait_until(lambda: False, "a sign", limit=0.0)


def test_description_is_made_at_the_end() -> None:
    """A description that is a function describes the state when the limit passes."""
    looks: list[int] = []
    with pytest.raises(TimeLimitPassed, match=r"two looks, had [1-9]"):
        wait_until(lambda: looks.append(1), lambda: f"two looks, had {len(looks)}", limit=0.02)


@pytest.fixture
def spinning() -> Iterator[int]:
    """Bind this process to one processor, and start a busy process on the same processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # children inherit it
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield process.pid
    finally:
        os.sched_setaffinity(0, allowed)
        process.kill()
        process.wait()
        process.stdout.close()


def burn() -> None:
    """Compute for BURNED seconds of processor time."""
    end = time.process_time() + BURNED
    while time.process_time() < end:
        pass


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this kernel does not count the waits"
)
def test_the_stopwatch_does_not_count_waits_for_a_processor(spinning: int) -> None:
    """Beside a busy process, work takes twice as long, but the stopwatch measures the same time."""
    with Stopwatch() as watch:
        burn()
    assert watch.elapsed > 1.4 * BURNED
    assert 0.9 * BURNED < watch.seconds < 1.3 * BURNED


def test_the_stopwatch_counts_sleep() -> None:
    """Sleep is part of the measured time."""
    with Stopwatch() as watch:
        time.sleep(0.05)
    assert 0.04 < watch.seconds <= watch.elapsed


def test_the_stopwatch_survives_a_process_that_is_gone() -> None:
    """For a process that has ended, nothing is subtracted."""
    with Stopwatch(2**22 + 1) as watch:
        pass
    assert watch.seconds <= watch.elapsed
