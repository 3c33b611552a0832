"""Whether what runs is what is there."""

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
    """Put another file in its place, as ``mv`` does."""
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    other.rename(file)


@pytest.fixture
def binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is one of the binary's."""
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
    """It is the same until it is replaced or removed."""
    program = ProgramFiles.of_this_process()
    assert program.change() is None
    replace(binary)
    assert program.change() == f"{binary} {RESTART}"
    binary.unlink()
    assert program.change() == f"{binary} {INSTALL_AGAIN}"


def test_written_into(binary: Path) -> None:
    """A file that keeps its inode is another one by its size or its time."""
    program = ProgramFiles.of_this_process()
    binary.write_text("another program")
    assert program.change() == f"{binary} {RESTART}"


def test_a_link_to_the_binary(binary: Path) -> None:
    """What it was called by may be a link, and may link to another one by now."""
    link = binary.with_name("sse-monolith")
    link.symlink_to(binary)
    program = ProgramFiles.of_this_process()
    assert program.change() is None
    link.unlink()
    link.symlink_to(sys.prefix)
    assert program.change() == f"{link} {RESTART}"


def test_called_by_another_name(binary: Path) -> None:
    """A program of the name that it was called by, and that it is not, is no concern."""
    other = binary.with_name("sse-monolith")
    other.write_text("another program")
    other.chmod(0o755)
    program = ProgramFiles.of_this_process()
    other.unlink()
    assert program.change() is None


def test_replaced_before_anybody_looked(binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs counts, where the system tells."""
    running = binary.with_name("running")
    os.link(binary, running)
    monkeypatch.setattr(program_files, "_RUNNING_FILE", str(running))
    replace(binary)
    assert ProgramFiles.of_this_process().change() == f"{binary} {RESTART}"


def test_gone_before_anybody_looked(binary: Path) -> None:
    """Without /proc nobody can tell what it was; the check before a reload says it instead."""
    binary.unlink()
    assert ProgramFiles.of_this_process().change() is None


def test_modules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From the source: every file that is loaded, but Python's own."""
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
