"""Tests of the check before a reload."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from gateway_shim.server.process.reload_check import ReloadCheck
from tests.gateway_shim.fakes import FakeClock
from tests.support.timing import wait_until

ACCEPTED = "it could"


def check(program: str, clock: FakeClock | None = None) -> ReloadCheck:
    """Start a check that runs a piece of Python."""
    return ReloadCheck([sys.executable, "-S", "-c", program], ACCEPTED, 60, clock or FakeClock())


def result(program: str) -> str | None:
    """Run a check to its end; return its problem."""
    started = check(program)
    wait_until(started.is_over, "the check's end")
    assert started.is_over()
    return started.problem


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("print('a warning'); print('it could')", None),
        ("print('it could not')", "it could not"),
        ("import sys; print('a warning'); sys.exit('Error: X is bad')", "X is bad"),
        ("pass", "the check has printed nothing"),
        ("print('x' * 1_000_000); print('it could')", None),
    ],
)
def test_results(program: str, problem: str | None) -> None:
    """The result is yes if one line says so; else the last line is the reason.

    A long output does not block the program.
    """
    assert result(program) == problem


def test_no_such_program() -> None:
    """A check that cannot be started is over at once, and gives the reason."""
    started = ReloadCheck(["/nowhere/at/all"], ACCEPTED, 60)
    assert started.is_over()
    assert str(started.problem).startswith("the check could not be started: ")


def test_a_program_that_hangs(tmp_path: Path) -> None:
    """A program that hangs is killed after the time limit, with its children."""
    clock, note = FakeClock(), tmp_path / "pids"
    started = check(
        "import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(note)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}.')\n"
        "time.sleep(1000)",
        clock,
    )
    wait_until(lambda: note.exists() and note.read_text().endswith("."), "the program to hang")
    assert not started.is_over()
    clock.now += 60
    assert started.is_over()
    assert started.problem == (
        "the check took longer than 60 s and was killed;"
        " find the import of a task or of the hook that does not end"
    )
    for pid in note.read_text().rstrip(".").split():
        wait_until(lambda pid=pid: has_ended(int(pid)), f"the end of {pid}")
    started.kill()  # a second call does nothing


def has_ended(pid: int) -> bool:
    """Return whether a process has ended; a zombie counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_the_exit_status_is_not_needed() -> None:
    """The output decides if the arbiter, which waits for every child, takes the exit status."""
    started = check("print('it could')")
    assert started._process is not None
    pid = started._process.pid
    wait_until(lambda: has_ended(pid), "the program's end")
    with contextlib.suppress(
        ChildProcessError
    ):  # gevent has patched this process, and may take it first
        os.waitid(os.P_PID, pid, os.WEXITED)
    wait_until(started.is_over, "the check to notice")
    assert started.problem is None
