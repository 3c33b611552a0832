"""The environments in which the tests run the binary."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.processes.server import Server
from tests.support.timing import TIME_LIMIT

__all__ = ["BinaryServer", "bare_root", "run"]

_GLIBC = ("libm.so.6", "librt.so.1", "libutil.so.1")


class BinaryServer(Server):
    """``sse-monolith serve`` from the binary, with only the given environment.

    Args:
        command: the command that starts the binary, without ``serve``.
        env: the whole environment except PORT.
        cwd: the working directory.
    """

    def __init__(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path
    ) -> None:
        super().__init__([*map(str, command), "serve"], cwd=cwd)
        self.env = {"PORT": str(self.port), **(env or {})}


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run a command with only this environment, and wait for its end."""
    return subprocess.run(
        list(map(str, command)),
        env=dict(env or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=6 * TIME_LIMIT,
    )


def bare_root(binary: Path, folder: Path) -> Path:
    """Create a root folder with the binary, glibc, zlib and an empty /tmp, and return it.

    The folder has no /dev, no /proc and no shell.

    Args:
        binary: the binary, which becomes ``/sse-monolith``.
        folder: the folder to create. It must not exist.
    """
    folder.mkdir()
    shutil.copy(binary, folder / "sse-monolith")
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    # The machine needs the libraries that ldd names, and the rest of glibc from the same folder.
    named = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    libraries = [Path(name) for name in re.findall(r"(/\S+) \(0x", named)]
    beside = next(lib for lib in libraries if lib.name == "libc.so.6").parent
    for library in (*libraries, *(beside / name for name in _GLIBC)):
        target = folder / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(library), target)
    return folder
