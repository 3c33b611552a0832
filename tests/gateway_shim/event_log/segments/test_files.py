"""Tests of how the log's files are made and opened."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gateway_shim.errors import LogDamaged, LogUnavailable
from gateway_shim.event_log.segments import files
from gateway_shim.event_loop.descriptors import close_now


def test_directory(tmp_path: Path) -> None:
    """The directory is made for this user alone; one that is there is used."""
    files.prepare_directory(tmp_path / "log")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
    files.prepare_directory(tmp_path / "log")


def test_open_directory(tmp_path: Path) -> None:
    """A directory that others can write is refused, with the command that corrects it."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log").chmod(0o777)
    with pytest.raises(LogUnavailable, match=r"run: chmod go-w .*/log$"):
        files.prepare_directory(tmp_path / "log")


def test_other_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory or a file of another user is refused."""
    (tmp_path / "file").write_bytes(b"12345678")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    message = f"belongs to the user {owner}, and the server runs as {owner + 1}"
    with pytest.raises(LogUnavailable, match=message):
        files.prepare_directory(tmp_path)
    with pytest.raises(LogUnavailable, match=message):
        files.open_mapped(tmp_path / "file", 8)
    with pytest.raises(LogUnavailable, match=message):
        files.open_or_create(tmp_path / "file")


@pytest.mark.parametrize("name", ["missing/log", "file", "file/log"])
def test_no_directory(name: str, tmp_path: Path) -> None:
    """A directory that cannot be made is named, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LogUnavailable, match=rf"cannot use .*{name} for the log: .+; .+"):
        files.prepare_directory(tmp_path / name)


def test_mapped_file(tmp_path: Path) -> None:
    """Bytes that are written to the memory are in the file, whose space is reserved."""
    path = tmp_path / "file"
    memory = files.create_mapped(path, 10000)
    memory[5000:5003] = b"abc"
    assert path.read_bytes()[5000:5003] == b"abc"
    assert path.stat().st_blocks * 512 >= 10000
    assert path.stat().st_mode & 0o777 == 0o600
    assert files.open_mapped(path, 10000)[5000:5003] == b"abc"
    with pytest.raises(FileExistsError):
        files.create_mapped(path, 10)


def test_holes_are_filled(tmp_path: Path) -> None:
    """A file with holes gets its space before it is mapped."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(100000)
    memory = files.open_mapped(path, 1)
    assert len(memory) == 100000
    assert path.stat().st_blocks * 512 >= 100000


def test_nothing_is_left_without_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose space cannot be reserved is removed again."""

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "old").write_bytes(b"12345678")
    monkeypatch.setattr(os, "posix_fallocate", no_space)
    with pytest.raises(OSError, match="No space") as caught:
        files.create_mapped(tmp_path / "new", 10)
    assert files.is_out_of_space(caught.value)
    assert os.listdir(tmp_path) == ["old"]
    with pytest.raises(LogDamaged, match="no space left"):
        files.open_mapped(tmp_path / "old", 8)
    assert "free some space" in str(files.unavailable(caught.value, tmp_path))


@pytest.mark.parametrize("content", [b"", b"1234567"])
def test_short_file(content: bytes, tmp_path: Path) -> None:
    """A file that is too short is damaged."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(LogDamaged, match="too short"):
        files.open_mapped(tmp_path / "file", 8)


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "socket"])
def test_foreign_files(kind: str, tmp_path: Path) -> None:
    """All but regular files are refused, and opening it does not block."""
    path = tmp_path / "x"
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        (tmp_path / "y").write_bytes(b"12345678")
        path.symlink_to(tmp_path / "y")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        os.mknod(path, 0o140600)
    for open_it in (lambda: files.open_mapped(path, 8), lambda: files.open_or_create(path)):
        with pytest.raises(LogUnavailable, match="remove"):
            open_it()


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is told apart; a file of the lock is made."""
    with pytest.raises(FileNotFoundError):
        files.open_mapped(tmp_path / "x", 8)
    close_now(files.open_or_create(tmp_path / "x"))
    assert (tmp_path / "x").exists()
