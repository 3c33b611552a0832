"""Keep the binary running when its file or its unpacked files go away.

PyInstaller reads the archive with the modules from the program's file, by its path, whenever a
module is imported, and everything else from the folder that it has unpacked. A worker is forked
long after the start: by then an update may have put another file at that path, and a cleaner of
temporary files may have removed the folder. So all that a server can need is held here, before
anything is served:

* the archive is read through a descriptor that stays open;
* the modules that Python starts with come from the archive, too, and not from ``base_library.zip``;
* every shared library is loaded;
* metadata of distributions is read, and the file of certificates is kept open;
* nothing is looked for in the folder any more, because anybody could make it again;
* the folder is locked, which keeps systemd-tmpfiles from removing it.

Only packaging/entry.py calls this. It depends on how PyInstaller's loader works; tests/binary shows
whether it still does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from app.program.held_file import HeldFile
from app.program.held_modules import (
    HeldModules,
    distribution_texts,
    extension_files,
    load_libraries,
)

__all__ = ["hold"]

_RUNNING_FILE = "/proc/self/exe"
_BASE_LIBRARY = "base_library.zip"
_CERTIFICATES = Path("certifi", "cacert.pem")


def hold(archive_module: Any, importers_module: Any, folder: Path) -> None:
    """Make this process, and those that it forks, independent of the program's files.

    Args:
        archive_module: PyInstaller's ``pyimod01_archive``, which reads the archive.
        importers_module: PyInstaller's ``pyimod02_importers``, which finds modules.
        folder: where the binary is unpacked.

    Raises:
        OSError: a file that has just been unpacked cannot be read.
    """
    _lock(folder)
    # The running file itself, if there is a /proc: an update may have changed its path already.
    running = _RUNNING_FILE if os.path.exists(_RUNNING_FILE) else sys.executable
    archive_module.open = HeldFile(running).open
    load_libraries(folder)
    certificates = folder / _CERTIFICATES
    finder = importers_module.PyiFrozenFinder
    held = HeldModules(
        finder(str(folder)),
        extension_files(folder),
        distribution_texts(folder),
        HeldFile(certificates) if certificates.exists() else None,
    )
    # Before the search by path; after the modules that are built into Python.
    sys.meta_path.insert(sys.meta_path.index(PathFinder), held)
    # Where the archive has no module of a name, PyInstaller looks for a file. It does not any more.
    finder._fallback_finder = None
    _forget(folder)


def _lock(folder: Path) -> None:
    """Lock the folder for as long as this process, or one that it forks, lives."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # Some network file systems know no locks; the folder is as safe there as it was.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _forget(folder: Path) -> None:
    """Take the folder, and the archive of Python's first modules in it, out of every search."""
    zipped = str(folder / _BASE_LIBRARY)
    sys.path[:] = [entry for entry in sys.path if not Path(entry).is_relative_to(folder)]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(str(folder))]:
        del sys.path_importer_cache[entry]
    for module in list(sys.modules.values()):
        places = getattr(module, "__path__", None)
        if isinstance(places, list):
            places[:] = [place.replace(zipped, str(folder)) for place in places]
