"""Tests of the search for the last process of a chain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.parts import require
from tests.support.processes import process_table
from tests.support.processes.process_table import first_siblings, only_descendant
from tests.support.timing import wait_until


@contextmanager
def shell(script: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script in a shell, and kill its process group at the end of the block."""
    with subprocess.Popen(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("source", ["_from_proc", "_from_ps"])
def test_both_sources_agree_on_this_process(source: str) -> None:
    """Each way to list the children of a process finds this process below its parent."""
    if source == "_from_ps":
        require(["ps"])
    assert os.getpid() in getattr(process_table, source)(os.getppid())


def test_end_of_a_chain() -> None:
    """The last process of a chain is found, however long the chain is."""
    with shell("sh -c 'sleep 1000 & echo $!; wait'; :") as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        assert wait_until(lambda: only_descendant(process.pid), "the sleeper") == sleeper


def test_children_of_other_threads_count() -> None:
    """The child of a thread that is not the main thread is a child of its process."""
    program = (
        "import subprocess, sys, threading, time;"
        "start = lambda: (print(subprocess.Popen(['sleep', '1000']).pid, flush=True),"
        " time.sleep(1000));"
        "threading.Thread(target=start).start()"
    )
    with shell(f'exec {sys.executable} -S -c "{program}"') as process:
        assert process.stdout is not None
        sleeper = int(process.stdout.readline())
        assert only_descendant(process.pid) == sleeper


def test_a_child_that_has_ended() -> None:
    """A child that has ended, and that nobody has waited for, does not count."""
    with shell("sleep 1000 & sh -c 'echo $$' & exec sleep 1000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        wait_until(lambda: only_descendant(process.pid), "the only child that runs")


def test_siblings() -> None:
    """The children of the first process that has several are found, however deep it is."""
    with shell("sh -c 'sleep 1000 & echo $!; sleep 1000 & echo $!; wait'; :") as process:
        assert process.stdout is not None
        sleepers = sorted(int(process.stdout.readline()) for _ in range(2))
        assert wait_until(lambda: first_siblings(process.pid), "the sleepers") == sleepers
        assert first_siblings(sleepers[0]) == []


def test_no_children_and_several() -> None:
    """A process without children, or with two children, has no last descendant."""
    with shell("sleep 1000 & sleep 1000 & echo both; wait") as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert only_descendant(process.pid) is None
    with shell("echo none; read x < /dev/null; exec sleep 1000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert only_descendant(process.pid) is None
