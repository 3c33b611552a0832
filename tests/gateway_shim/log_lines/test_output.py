"""Tests of output that cannot be written, in separate processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_shim.log_lines.output import drop_unwritten_output, guarded_output

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
FULL = Path("/dev/full")
LINE = "Error: cannot write the output: No space left on device\n"

needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this machine")


def run(body: str, redirection: str, *, buffered: bool = True) -> tuple[int, str]:
    """Run a guarded program in a shell; return its status and its standard error."""
    program = (
        "import sys, os\n"
        "from gateway_shim.log_lines.output import drop_unwritten_output, guarded_output\n"
        f"{body}\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "" if buffered else "1"}
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {redirection}', sys.executable, program],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@needs_full
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        "with guarded_output(): print('x')",
        "with guarded_output(): print('x', flush=True)",
        "with guarded_output(): print('x' * 100_000)",
        "with guarded_output():\n    print('x')\n    sys.exit()",
        "with guarded_output():\n    print('x')\n    sys.exit(0)",
    ],
)
def test_a_full_disk(body: str, buffered: bool) -> None:
    """A full disk is one line and status 1, whenever the error is noticed."""
    assert run(body, ">/dev/full", buffered=buffered) == (1, LINE)


@needs_full
def test_both_on_the_full_disk() -> None:
    """With both outputs on the full disk, only the status shows the error."""
    assert run("with guarded_output(): print('x')", ">/dev/full 2>/dev/full")[0] == 1


@needs_full
def test_standard_error_only() -> None:
    """A line of standard error that cannot be written is an error, too."""
    body = "with guarded_output(): print('x', file=sys.stderr)"
    assert run(body, "2>/dev/full")[0] == 1


@pytest.mark.parametrize("buffered", [True, False])
def test_a_closed_pipe(buffered: bool) -> None:
    """A closed pipe, as of ``… | head -1``, is not reported; the status shows it."""
    body = "with guarded_output():\n    for n in range(100_000): print('x' * 80)"
    redirection = "| head -1 >/dev/null; exit ${PIPESTATUS[0]}"
    assert run(body, redirection, buffered=buffered) == (1, "")


@needs_full
def test_the_programs_own_failure_comes_first() -> None:
    """The program's own error status is kept."""
    body = "with guarded_output():\n    print('x')\n    sys.exit(3)"
    assert run(body, ">/dev/full") == (3, "")


@needs_full
def test_a_server_that_ends() -> None:
    """A server that drops its unwritten output ends with status 0."""
    body = "print('x')\ndrop_unwritten_output()"
    assert run(body, ">/dev/full") == (0, "")
    assert run(f"{body}\nsys.exit(0)", ">/dev/full 2>/dev/full") == (0, "")


def test_closed_from_the_start() -> None:
    """A program that was started without outputs works."""
    body = "with guarded_output(): print('x')\ndrop_unwritten_output()"
    assert run(body, ">&- 2>&-")[0] == 0


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "x"),
        OSError(28, "No space left on device", "x"),
        OSError(13, "Permission denied"),
        ValueError("x"),
    ],
)
def test_other_errors(error: Exception) -> None:
    """An error that is not about the output is raised."""

    def fail() -> None:
        with guarded_output():
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error


def test_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an error, all output is written and the status is passed on."""
    with guarded_output():
        print("x")
    for status in (0, 1, "sentence"):
        with pytest.raises(SystemExit) as caught, guarded_output():
            raise SystemExit(status)
        assert caught.value.code == status
    drop_unwritten_output()
    assert capsys.readouterr().out == "x\n"
