"""Tests of the free space of a file system."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway_shim.event_log.places.place import LogPlace
from gateway_shim.event_log.places.space import (
    WORKER_BYTES,
    free_bytes,
    problem_of_next_workers,
    taken_bytes,
)


def test_free_bytes(tmp_path: Path) -> None:
    """The space is what a user without privileges can use."""
    assert 0 < free_bytes(tmp_path) < sys.maxsize
    with pytest.raises(OSError, match="No such file"):
        free_bytes(tmp_path / "missing")


def test_a_file_system_without_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tmpfs without a limit says that it has no blocks at all; it is not full."""
    found = SimpleNamespace(f_blocks=0, f_bavail=0, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _folder: found)
    assert free_bytes(tmp_path) == sys.maxsize


def test_taken_bytes(tmp_path: Path) -> None:
    """The files of a folder count with the space that they take on the disk."""
    assert taken_bytes(tmp_path / "missing") == taken_bytes(tmp_path) == 0
    with (tmp_path / "file").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 1024 * 1024)
    assert 1024 * 1024 <= taken_bytes(tmp_path) < 1_200_000


def test_space_for_the_next_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Several workers need space in their directory, which is made again if it was removed."""
    two = LogPlace(tmp_path / "removed", survives_restart=True, workers=2)
    assert problem_of_next_workers(two) is None
    assert list(two.directory.iterdir()) == []
    wanted: list[int] = []

    def is_full(_descriptor: int, _offset: int, size: int) -> None:
        wanted.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", is_full)
    problem = problem_of_next_workers(two)
    assert problem is not None
    assert problem.startswith(f"cannot use {two.directory}: No space left on device; 2 workers")
    assert (wanted, list(two.directory.iterdir())) == ([2 * WORKER_BYTES], [])


def test_one_worker_needs_no_space(tmp_path: Path) -> None:
    """One worker can start without its directory, with a log in memory."""
    one = LogPlace(tmp_path / "missing" / "folder", survives_restart=True)
    assert problem_of_next_workers(one) is problem_of_next_workers(None) is None
