"""Find the modules and distributions of the binary without reading its unpacked folder."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from app.program.held_file import HeldFile

if TYPE_CHECKING:
    from importlib.metadata import Distribution, DistributionFinder

__all__ = ["HeldModules", "distribution_texts", "extension_files", "load_libraries"]

_DYNLOAD = re.compile(r"python3\.\d+\.lib-dynload\.")
"""The folder of Python's own extension modules, which is not part of their names."""

_METADATA = ".dist-info"


class _Archive(Protocol):
    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a module of the top level in the archive."""


def extension_files(folder: Path) -> dict[str, str]:
    """Return the path of each extension module below a folder, by the module's full name."""
    found = {}
    for path in sorted(folder.rglob("*.so")):
        suffix = max(filter(path.name.endswith, EXTENSION_SUFFIXES), key=len, default=None)
        if suffix is not None:
            name = str(path.relative_to(folder)).removesuffix(suffix).replace(os.sep, ".")
            found[_DYNLOAD.sub("", name)] = str(path)
    return found


def load_libraries(folder: Path) -> None:
    """Load every shared library below a folder into this process.

    A loaded library no longer needs its file. The system's loader remembers the library by its
    path, and Python's import of an extension module gets the loaded library from there.
    """
    for path in sorted(folder.rglob("*.so*")):
        # If this machine cannot load a library, it could not import the library later either.
        with contextlib.suppress(OSError):
            ctypes.CDLL(str(path))


def distribution_texts(folder: Path) -> dict[str, dict[str, str]]:
    """Read the metadata files of each distribution in a folder, by the normalized name."""
    return {
        normalized(path.name.partition("-")[0]): {
            file.name: file.read_text(encoding="utf-8") for file in path.iterdir()
        }
        for path in sorted(folder.glob(f"*{_METADATA}"))
    }


def normalized(name: str) -> str:
    """Return the normalized name of a distribution, for comparisons."""
    return re.sub(r"[-_.]+", "-", name).lower()


class HeldModules(MetaPathFinder):
    """A finder for the binary's modules: in its archive, and among the loaded libraries.

    The finder searches no path. If a cleaner removes the unpacked folder from ``/tmp``, any user
    could create that folder again, with other modules in it.

    Args:
        archive: the finder of modules that are written in Python.
        extensions: the path of each extension module, by its full name; all are loaded.
        distributions: the metadata files of each distribution, by normalized name.
        certificates: certifi's file of certificates, or None.
    """

    def __init__(
        self,
        archive: _Archive,
        extensions: Mapping[str, str],
        distributions: Mapping[str, Mapping[str, str]],
        certificates: HeldFile | None,
    ) -> None:
        self._archive = archive
        self._extensions = extensions
        self._distributions = distributions
        self._certificates = certificates

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module. Return None for a submodule in the archive and for foreign modules."""
        if fullname in self._extensions:
            return spec_from_file_location(fullname, self._extensions[fullname])
        if path is None:
            return self._archive.find_spec(fullname, target)
        if fullname == "certifi.core" and self._certificates is not None:
            spec = PathFinder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _CertifiLoader(spec.loader, self._certificates.path)
            return spec
        return None

    def find_distributions(self, context: DistributionFinder.Context) -> Iterable[Distribution]:
        """Find distributions for :mod:`importlib.metadata`; without a name, return all of them."""
        # Imported late, because importing importlib.metadata would slow down --help.
        from app.program.held_distribution import HeldDistribution

        wanted = self._distributions if context.name is None else [normalized(context.name)]
        return [
            HeldDistribution(self._distributions[name])
            for name in wanted
            if name in self._distributions
        ]


class _CertifiLoader(Loader):
    """A loader of ``certifi.core`` that makes its functions return a path that stays valid."""

    def __init__(self, loader: Loader, where: Callable[[], str]) -> None:
        self._loader = loader
        self._where = where

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return None, so that Python creates the module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then replace the functions that use certifi's own file."""
        self._loader.exec_module(module)
        vars(module)["where"] = self._where
        vars(module)["contents"] = lambda: Path(self._where()).read_text(encoding="ascii")
