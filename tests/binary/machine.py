"""Machines to run the binary on: with nothing but it, or with something amiss."""

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
    """``sse-monolith serve`` from the binary, and nothing in the environment but what is given.

    Args:
        command: how the binary is started; ``serve`` comes after it.
        env: its whole environment, beside PORT.
        cwd: where it runs.
    """

    def __init__(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path
    ) -> None:
        super().__init__([*map(str, command), "serve"], cwd=cwd)
        self.env = {"PORT": str(self.port), **(env or {})}


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment and no more, and wait for its end."""
    return subprocess.run(
        list(map(str, command)),
        env=dict(env or {}),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=6 * TIME_LIMIT,
    )


def bare_root(binary: Path, folder: Path) -> Path:
    """A root folder with the binary, glibc, zlib, and an empty /tmp: no /dev, no /proc, no shell.

    Args:
        binary: becomes ``/sse-monolith`` there.
        folder: where to make it; must not exist.
    """
    folder.mkdir()
    shutil.copy(binary, folder / "sse-monolith")
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    # What ldd names is what the machine must have; the rest of glibc is beside it.
    named = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    libraries = [Path(name) for name in re.findall(r"(/\S+) \(0x", named)]
    beside = next(lib for lib in libraries if lib.name == "libc.so.6").parent
    for library in (*libraries, *(beside / name for name in _GLIBC)):
        target = folder / library.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(library), target)
    return folder
