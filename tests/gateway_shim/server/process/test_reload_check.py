"""A program is asked while the arbiter goes on."""

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
    """Run a check to its end."""
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
        ("pass", "it says nothing"),
        ("print('x' * 1_000_000); print('it could')", None),
    ],
)
def test_results(program: str, problem: str | None) -> None:
    """One line says yes; otherwise the last line is the reason. Long output does not block."""
    assert result(program) == problem


def test_no_such_program() -> None:
    """It is over at once, and says why."""
    started = ReloadCheck(["/nowhere/at/all"], ACCEPTED, 60)
    assert started.is_over()
    assert str(started.problem).startswith("the check did not work: ")


def test_a_program_that_hangs(tmp_path: Path) -> None:
    """It is killed when its time is over, with everything that it has started."""
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
        "the check took longer than 60 s and was ended;"
        " find what waits while tasks or the hook are imported"
    )
    for pid in note.read_text().rstrip(".").split():
        wait_until(lambda pid=pid: has_ended(int(pid)), f"the end of {pid}")
    started.kill()  # once more: nothing


def has_ended(pid: int) -> bool:
    """Whether a process has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_somebody_else_takes_the_exit_status() -> None:
    """The arbiter waits for every child; what the program has said decides."""
    started = check("print('it could')")
    assert started._process is not None
    pid = started._process.pid
    wait_until(lambda: has_ended(pid), "its end")
    with contextlib.suppress(ChildProcessError):  # gevent, which has patched this process
        os.waitid(os.P_PID, pid, os.WEXITED)
    wait_until(started.is_over, "the check to notice")
    assert started.problem is None
