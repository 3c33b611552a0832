"""Tests of the free space of a file system."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway_shim.event_log.places.space import free_bytes, taken_bytes


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
