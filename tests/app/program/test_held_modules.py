"""The finder of the binary's modules and distributions."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import certifi
import pytest

from app.program.held_file import HeldFile
from app.program.held_modules import HeldModules, distribution_texts, extension_files

IMPORT_AFTER_REMOVAL = """
import shutil, sys
from pathlib import Path
from app.program.held_modules import HeldModules, extension_files, load_libraries

folder = Path(sys.argv[1])
extensions = extension_files(folder)
if sys.argv[2] == "loaded":
    load_libraries(folder)
shutil.rmtree(folder)

class Nothing:
    def find_spec(self, name, target=None):
        return None

sys.meta_path.insert(0, HeldModules(Nothing(), extensions, {}, None))
import _speedups
print(_speedups.__file__)
"""


class Archive:
    """A stand-in for PyInstaller's finder, with one module of the top level."""

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find the module ``packed``."""
        return ModuleSpec(fullname, None) if fullname == "packed" else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create an unpacked folder of a binary: extensions, a library, metadata."""
    folder = tmp_path / "unpacked"
    speedups = find_spec("markupsafe._speedups")
    assert speedups is not None
    assert speedups.origin is not None
    own = folder / "python3.99" / "lib-dynload"
    own.mkdir(parents=True)
    shutil.copy(speedups.origin, own)
    (folder / "pkg" / "sub").mkdir(parents=True)
    (folder / "pkg" / "sub" / "_fast.abi3.so").write_bytes(b"no library at all")
    (folder / "libz.so.1").write_bytes(b"nor is this")
    (folder / "My_Package-1.2.dist-info").mkdir()
    (folder / "My_Package-1.2.dist-info" / "METADATA").write_text("Name: My.Package\nVersion: 1.2")
    return folder


def test_extensions(folder: Path) -> None:
    """Extension modules are found by their full names, and other libraries are skipped."""
    found = extension_files(folder)
    assert sorted(found) == ["_speedups", "pkg.sub._fast"]
    assert found["pkg.sub._fast"] == str(folder / "pkg/sub/_fast.abi3.so")


@pytest.mark.parametrize("how", ["loaded", "not loaded"])
def test_an_extension_whose_file_is_gone(folder: Path, how: str) -> None:
    """A loaded extension can be imported after its file was removed."""
    command = [sys.executable, "-c", IMPORT_AFTER_REMOVAL, str(folder), how]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout.startswith(str(folder)), "Error" in done.stderr) == (
        how == "loaded",
        how != "loaded",
    )


def test_where_modules_are_found(folder: Path) -> None:
    """Extensions are found by path, modules of the top level in the archive."""
    held = HeldModules(Archive(), extension_files(folder), {}, None)
    extension = held.find_spec("pkg.sub._fast", ["/anywhere"])
    assert extension is not None
    assert extension.origin == str(folder / "pkg/sub/_fast.abi3.so")
    assert held.find_spec("packed", None) is not None
    assert held.find_spec("not_packed", None) is None
    assert held.find_spec("pkg.sub.other", ["/anywhere"]) is None


@pytest.fixture
def held(folder: Path, monkeypatch: pytest.MonkeyPatch) -> HeldModules:
    """Install a finder before all others, with a file of certificates."""
    certificates = folder / "cacert.pem"
    certificates.write_text("certificates")
    held = HeldModules(Archive(), {}, distribution_texts(folder), HeldFile(certificates))
    monkeypatch.setattr(sys, "meta_path", [held, *sys.meta_path])
    return held


@pytest.mark.parametrize("name", ["my-package", "My.Package", "MY_PACKAGE"])
def test_distributions(held: HeldModules, folder: Path, name: str) -> None:
    """Distributions are found under any spelling, even after the folder was removed."""
    shutil.rmtree(folder)
    assert importlib.metadata.version(name) == "1.2"
    assert "My.Package" in [found.name for found in importlib.metadata.distributions()]


def test_a_distribution_that_is_not_there(held: HeldModules) -> None:
    """A distribution that is not in the binary is searched for as usual."""
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("no-such-package-at-all")
    assert importlib.metadata.version("flask")


def test_certificates(held: HeldModules, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """certifi returns a readable file after its own file was removed."""
    for name in ("certifi", "certifi.core"):
        monkeypatch.delitem(sys.modules, name)
    again = importlib.import_module("certifi")
    shutil.rmtree(folder)
    assert Path(again.where()).read_text() == "certificates"
    assert again.contents() == "certificates"
    assert again.__version__ == certifi.__version__
