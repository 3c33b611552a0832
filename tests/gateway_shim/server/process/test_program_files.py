"""Tests that replaced files of a running program are noticed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

import gateway_shim.protocol.event_stream
from gateway_shim.server.process import program_files
from gateway_shim.server.process.program_files import ProgramFiles

INSTALL_AGAIN = "was removed; install it again, then restart the service"
RESTART = "was replaced; restart the service to run the new version"


def replace(file: Path) -> None:
    """Replace a file by another file, as ``mv`` does."""
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.rename(file)


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the binary that this process pretends to run."""
    file = tmp_path / "bin" / "sse-monolith-1"
    file.parent.mkdir()
    file.write_text("the program")
    file.chmod(0o755)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(file))
    monkeypatch.setattr(sys, "argv", ["sse-monolith", "serve"])
    monkeypatch.setenv("PATH", str(file.parent))
    monkeypatch.setattr(program_files, "_RUNNING_FILE", str(tmp_path / "no-proc"))
    return file


def test_the_binary(binary: Path) -> None:
    """A binary that was replaced or removed is reported."""
    program = ProgramFiles.of_this_process()
    assert program.change() is None
    replace(binary)
    assert program.change() == f"{binary} {RESTART}"
    binary.unlink()
    assert program.change() == f"{binary} {INSTALL_AGAIN}"


def test_written_into(binary: Path) -> None:
    """A file that was written to is reported by its size or its time."""
    program = ProgramFiles.of_this_process()
    binary.write_text("another program")
    assert program.change() == f"{binary} {RESTART}"


def test_a_link_to_the_binary(binary: Path) -> None:
    """A link that was called, and that points to another file now, is reported."""
    link = binary.with_name("sse-monolith")
    link.symlink_to(binary)
    program = ProgramFiles.of_this_process()
    assert program.change() is None
    link.unlink()
    link.symlink_to(sys.prefix)
    assert program.change() == f"{link} {RESTART}"


def test_called_by_another_name(binary: Path) -> None:
    """Another program with the name that was called is ignored."""
    other = binary.with_name("sse-monolith")
    other.write_text("another program")
    other.chmod(0o755)
    program = ProgramFiles.of_this_process()
    other.unlink()
    assert program.change() is None


def test_replaced_before_the_first_look(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that runs is compared, if the system can name that file."""
    running = binary.with_name("running")
    os.link(binary, running)
    monkeypatch.setattr(program_files, "_RUNNING_FILE", str(running))
    replace(binary)
    assert ProgramFiles.of_this_process().change() == f"{binary} {RESTART}"


def test_removed_before_the_first_look(binary: Path) -> None:
    """Without /proc a removed binary is not reported here; the check before a reload fails then."""
    binary.unlink()
    assert ProgramFiles.of_this_process().change() is None


def test_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program from the source has the files of all its modules except Python's own."""
    file = tmp_path / "installed.py"
    file.write_text("")
    module = ModuleType("installed")
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "installed", module)
    monkeypatch.setitem(sys.modules, "no_module", None)
    program = ProgramFiles.of_this_process()
    assert gateway_shim.protocol.event_stream.__file__ in program._stamps
    assert os.__file__ not in program._stamps
    assert program.change() is None
    replace(file)
    assert program.change() == f"{file} {RESTART}"
