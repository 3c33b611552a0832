"""The files that this program was started from, and whether they have changed since."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Self

__all__ = ["ProgramFiles"]

_RUNNING_FILE = "/proc/self/exe"

_Stamp = tuple[int, int, int, int]
"""Device, inode, size in bytes, and time of change in nanoseconds."""


class ProgramFiles:
    """The files that a running program has loaded, as they were when it started.

    A worker is forked from the arbiter. It has all modules that the arbiter has loaded, and loads
    the rest from files. After an update that would be a mix of two versions.

    Args:
        stamps: the stamp of each file when it was loaded, by path.
    """

    def __init__(self, stamps: Mapping[str, _Stamp]) -> None:
        self._stamps = stamps

    @classmethod
    def of_this_process(cls) -> Self:
        """Note the files of this process: the binary's one file, or the files of its modules.

        Python's own modules are left out, because an update of the system may change them without
        an update of this program.
        """
        return cls(_binary() if getattr(sys, "frozen", False) else _modules())

    def change(self) -> str | None:
        """Return what has changed and what to do, in one line; None if nothing has changed."""
        for path, before in self._stamps.items():
            now = _stamp(path)
            if now is None:
                return f"{path} was removed; install it again, then restart the service"
            if now != before:
                return f"{path} was replaced; restart the service to run the new version"
        return None


def _binary() -> dict[str, _Stamp]:
    """Return the stamps of the binary, under its own name and under the name that was called.

    The name that was called may be a link.
    """
    # The file that runs, if the system can tell, and not a new file that has the same name.
    running = _stamp(_RUNNING_FILE) or _stamp(sys.executable)
    if running is None:
        return {}
    called = shutil.which(sys.argv[0])
    if called is None or _stamp(called) != running:
        return {sys.executable: running}
    return {sys.executable: running, os.path.abspath(called): running}


def _modules() -> dict[str, _Stamp]:
    stamps = {}
    for name, module in list(sys.modules.items()):
        # Not with getattr, because some modules import another module then.
        path = getattr(module, "__dict__", {}).get("__file__")
        own = name.partition(".")[0] not in sys.stdlib_module_names and name != "__main__"
        if own and path is not None and (stamp := _stamp(path)) is not None:
            stamps[os.path.abspath(path)] = stamp
    return stamps


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
