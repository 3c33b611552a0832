"""The files of the packages that are not modules, such as pages and scripts, kept in memory.

A server may run for months. Meanwhile an update may replace these files, and the folder that the
one-file binary has unpacked may disappear. So a process reads them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

__all__ = ["DATA_FOLDERS", "data_files"]

DATA_FOLDERS = ("app/console/static", "app/console/templates", "gateway_shim/static")
"""The folders with such files. The binary reads them at its start (:mod:`app.program.hold`), so
that the workers that it forks later have them."""

_ROOT = Path(__file__).parents[2]


@cache
def data_files(folder: str) -> Mapping[str, bytes]:
    """Return the files of a folder and of the folders in it.

    Args:
        folder: the folder, relative to the folder that contains the package ``app``.

    Returns:
        The contents by path. The paths are relative to the folder, with slashes.

    Raises:
        FileNotFoundError: there are no files.
        OSError: a file cannot be read.
    """
    place = _ROOT / folder
    files = {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }
    if not files:
        raise FileNotFoundError(f"{place} has no files; install the program again")
    return MappingProxyType(files)
