"""``hold``, with stand-ins for PyInstaller's modules."""

from __future__ import annotations

import fcntl
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from app.program.data_files import DATA_FOLDERS, data_files
from app.program.held_modules import HeldModules
from app.program.hold import hold


class PyiFrozenFinder:
    """A stand-in for PyInstaller's finder."""

    _fallback_finder: object = "looks for files"

    def __init__(self, path: str) -> None:
        self.path = path

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return None, because the archive is empty."""
        return None


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create an unpacked folder that Python searches, and a package from its archive."""
    folder = tmp_path / "_MEI123"
    (folder / "certifi").mkdir(parents=True)
    (folder / "certifi" / "cacert.pem").write_text("certificates")
    zipped = str(folder / "base_library.zip")
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    monkeypatch.setattr(sys, "path", [zipped, str(folder / "lib-dynload"), "/users/own"])
    monkeypatch.setattr(sys, "path_importer_cache", {zipped: None, "/users/own": None})
    package = ModuleType("unpacked_package")
    package.__path__ = [f"{zipped}/unpacked_package"]
    monkeypatch.setitem(sys.modules, package.__name__, package)
    return folder


def test_hold(unpacked: Path, tmp_path: Path) -> None:
    """The folder is no longer searched, and no other process can lock it."""
    archive = SimpleNamespace(open=open)
    hold(archive, SimpleNamespace(PyiFrozenFinder=PyiFrozenFinder), unpacked)

    with archive.open("/whatever/its/name/is/now", "rb") as program:
        assert program.read(4) == b"\x7fELF"
    held = sys.meta_path[sys.meta_path.index(PathFinder) - 1]
    assert isinstance(held, HeldModules)
    assert PyiFrozenFinder._fallback_finder is None
    assert sys.path == ["/users/own"]
    assert list(sys.path_importer_cache) == ["/users/own"]
    assert sys.modules["unpacked_package"].__path__ == [f"{unpacked}/unpacked_package"]

    descriptor = os.open(unpacked, os.O_RDONLY)
    try:
        # What systemd-tmpfiles tries before it looks into a folder.
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)


def test_pages_and_scripts_are_read(unpacked: Path) -> None:
    """A worker that is forked later has the pages, although their files may be gone by then."""
    data_files.cache_clear()
    hold(SimpleNamespace(), SimpleNamespace(PyiFrozenFinder=PyiFrozenFinder), unpacked)
    assert data_files.cache_info().currsize == len(DATA_FOLDERS)


def test_without_certificates(unpacked: Path) -> None:
    """A build without certifi works, too."""
    (unpacked / "certifi" / "cacert.pem").unlink()
    finders = len(sys.meta_path)
    hold(SimpleNamespace(), SimpleNamespace(PyiFrozenFinder=PyiFrozenFinder), unpacked)
    assert len(sys.meta_path) == finders + 1
