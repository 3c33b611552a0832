"""Finds the modules and distributions of the binary without looking into its folder."""

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
"""The folder of the extensions of Python itself; not a part of their names."""

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

    A library that is loaded needs its file no more: the loader knows it by its path, and importing
    an extension module takes it from there.
    """
    for path in sorted(folder.rglob("*.so*")):
        # A library that this machine cannot load could not be imported later either.
        with contextlib.suppress(OSError):
            ctypes.CDLL(str(path))


def distribution_texts(folder: Path) -> dict[str, dict[str, str]]:
    """Read what the folder says of each distribution: its files' texts, by normalized name."""
    return {
        normalized(path.name.partition("-")[0]): {
            file.name: file.read_text(encoding="utf-8") for file in path.iterdir()
        }
        for path in sorted(folder.glob(f"*{_METADATA}"))
    }


def normalized(name: str) -> str:
    """Return a distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


class HeldModules(MetaPathFinder):
    """Finds the modules of the binary: in its archive, and among the libraries that are loaded.

    No path is looked at. A folder in ``/tmp`` that a cleaner has removed can be made again by
    anybody, with modules of theirs.

    Args:
        archive: finds the modules that are written in Python.
        extensions: the path of each extension module, by its full name; all are loaded.
        distributions: each distribution's files, by normalized name.
        certificates: certifi's file of certificates; None: there is none.
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
        """Find a module; None: it is a submodule in the archive, or none of the binary's."""
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
        """Find distributions for :mod:`importlib.metadata`; all of them if none is named."""
        # Not at the top: the arbiter's --help would wait for what importlib.metadata imports.
        from app.program.held_distribution import HeldDistribution

        wanted = self._distributions if context.name is None else [normalized(context.name)]
        return [
            HeldDistribution(self._distributions[name])
            for name in wanted
            if name in self._distributions
        ]


class _CertifiLoader(Loader):
    """Loads ``certifi.core``, and has it answer with a path that stays valid."""

    def __init__(self, loader: Loader, where: Callable[[], str]) -> None:
        self._loader = loader
        self._where = where

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then replace what reads its file."""
        self._loader.exec_module(module)
        vars(module)["where"] = self._where
        vars(module)["contents"] = lambda: Path(self._where()).read_text(encoding="ascii")
