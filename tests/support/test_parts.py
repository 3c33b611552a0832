"""Tests of the parts that a machine may not have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import parts
from tests.support.parts import Part
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow

TESTS = """
import pytest

@pytest.mark.needs("harp")
def test_a(): raise AssertionError
@pytest.mark.needs("harp")
def test_b(): raise AssertionError
@pytest.mark.needs("here")
def test_c(): pass
def test_d(): pytest.skip("it rains")
"""

CONFTEST = """
from tests.support.parts import PARTS, Part
from tests.conftest import *

PARTS["harp"] = Part("a harp", lambda: False, "apt-get install harp")
PARTS["here"] = Part("air", lambda: True, "breathe")
"""


def run_tests(folder: Path, ci: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of ``TESTS`` in a process of their own."""
    (folder / "test_them.py").write_text(TESTS)
    (folder / "conftest.py").write_text(CONFTEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *options,
        "--rootdir",
        str(folder),
        str(folder),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CI": ci}
    env["SKIPPED_TESTS_FILE"] = str(folder / "skipped")
    return subprocess.run(
        command, env=env, cwd=folder, capture_output=True, text=True, timeout=TIME_LIMIT
    )


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "two workers"])
def test_what_is_missing_is_skipped_and_summed_up(tmp_path: Path, options: list[str]) -> None:
    """The last lines of the output have each missing part and the command that installs it."""
    done = run_tests(tmp_path, "", *options)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert "2 tests skipped: a harp (apt-get install harp)" in lines
    assert "1 test skipped: it rains" in lines
    assert "1 passed, 3 skipped" in lines[-1]
    assert (tmp_path / "skipped").read_text() == (
        "2 tests skipped: a harp (apt-get install harp)\n1 test skipped: it rains\n"
    )


def test_ci_insists(tmp_path: Path) -> None:
    """If CI is set, a missing part is a failure, which names the command that installs the part."""
    done = run_tests(tmp_path, ci="true")
    assert done.returncode == 1
    assert "1 passed, 1 skipped, 2 errors" in done.stdout.splitlines()[-1]
    assert "a harp (apt-get install harp)" in done.stdout


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text has all missing parts and no others."""
    monkeypatch.setitem(parts.PARTS, "a", Part("an A", lambda: False, "get a"))
    monkeypatch.setitem(parts.PARTS, "b", Part("a B", lambda: True, "get b"))
    monkeypatch.setitem(parts.PARTS, "c", Part("a C", lambda: False, "get c"))
    assert parts.missing(["a", "b", "c"]) == "an A (get a); a C (get c)"
    assert parts.missing(["b"]) is None
    with pytest.raises(KeyError):
        parts.missing(["typo"])
