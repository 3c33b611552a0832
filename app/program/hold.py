"""Keep the binary running after its file or its unpacked folder was removed or replaced.

On every import, PyInstaller opens the program's file by its path and reads the module from the
archive in it. It reads everything else from the folder that it has unpacked. A worker is forked
long after the start. By then an update may have replaced the program's file, and a cleaner of
temporary files may have removed the folder. So the program keeps everything that a server can need
before it serves:

* It reads the archive through a descriptor that stays open.
* It reads the modules that Python starts with from the archive, not from ``base_library.zip``.
* It loads every shared library.
* It reads the metadata of all distributions, and keeps the file of certificates open.
* It reads the pages and scripts that it serves.
* It no longer searches the folder, because any user could create a removed folder again.
* It locks the folder, so that systemd-tmpfiles does not remove it.

Only packaging/entry.py calls this module. It relies on the internals of PyInstaller's loader;
the tests in tests/binary fail if those change.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from app.program.data_files import DATA_FOLDERS, data_files
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
    """Make this process, and the processes that it forks, independent of the program's files.

    Args:
        archive_module: PyInstaller's ``pyimod01_archive``, which reads the archive.
        importers_module: PyInstaller's ``pyimod02_importers``, which finds modules.
        folder: the folder that the binary was unpacked to.

    Raises:
        OSError: an unpacked file cannot be read.
    """
    _lock(folder)
    # /proc names the running file itself; at its own path an update may have put another file.
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
    for name in DATA_FOLDERS:
        data_files(name)
    # Before the search by path, and after the modules that are built into Python.
    sys.meta_path.insert(sys.meta_path.index(PathFinder), held)
    # PyInstaller must no longer search for a file if the archive lacks a module.
    finder._fallback_finder = None
    _remove_from_searches(folder)


def _lock(folder: Path) -> None:
    """Lock the folder until this process, and all processes that it forks, have ended."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # Some network file systems have no locks. The folder is then as safe as without this call.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _remove_from_searches(folder: Path) -> None:
    """Remove the folder, and the archive ``base_library.zip`` in it, from every import search."""
    zipped = str(folder / _BASE_LIBRARY)
    sys.path[:] = [entry for entry in sys.path if not Path(entry).is_relative_to(folder)]
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(str(folder))]:
        del sys.path_importer_cache[entry]
    for module in list(sys.modules.values()):
        paths = getattr(module, "__path__", None)
        if isinstance(paths, list):
            paths[:] = [path.replace(zipped, str(folder)) for path in paths]
