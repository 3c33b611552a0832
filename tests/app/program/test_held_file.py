"""Files that stay readable after they were removed or replaced."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.program.held_file import HeldFile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Create a file that contains ``0123456789``."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def replace(file: Path) -> None:
    """Replace the file with another one."""
    other = file.with_name("other")
    other.write_bytes(b"something else")
    other.rename(file)


@pytest.mark.parametrize("happens", [replace, Path.unlink, lambda file: None])
def test_its_contents_stay(file: Path, happens: object) -> None:
    """The contents stay the same if the file is replaced, removed or left alone."""
    held = HeldFile(file)
    assert callable(happens)
    happens(file)
    with held.open(str(file), "rb") as reader:
        assert reader.seek(3, os.SEEK_SET) == 3
        assert reader.read(4) == b"3456"
        assert reader.read(100) == b"789"
        assert reader.read(1) == b""
    # Its path names the same bytes, in a program that is started, too.
    assert Path(held.path()).read_bytes() == b"0123456789"
    command = ["cat", held.path()]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"0123456789"


def test_readers_do_not_share_a_position(file: Path) -> None:
    """Two readers have independent positions."""
    held = HeldFile(file)
    one, other = held.open(), held.open()
    one.seek(8)
    assert other.read(2) == b"01"
    assert one.read(2) == b"89"


def test_other_ways_to_seek(file: Path) -> None:
    """Seeking from any position except the beginning is an error."""
    with pytest.raises(ValueError, match="SEEK_SET"):
        HeldFile(file).open().seek(0, os.SEEK_END)


def test_without_proc(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc, the path is the original one."""
    held = HeldFile(file)
    monkeypatch.setattr(os, "getpid", lambda: 0)
    assert held.path() == str(file)


def test_children_do_not_get_it(file: Path) -> None:
    """A program that a task starts does not inherit the descriptor."""
    held = HeldFile(file)
    script = f"import os; os.fstat({held.descriptor})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, close_fds=False)
    assert b"Bad file descriptor" in done.stderr


def test_no_file(tmp_path: Path) -> None:
    """A missing file is an error."""
    with pytest.raises(FileNotFoundError):
        HeldFile(tmp_path / "none")
