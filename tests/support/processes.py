"""Which process started which."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

__all__ = ["only_descendant"]


def only_descendant(pid: int) -> int | None:
    """The child of the child ... of a process; None if there is none, or several on the way."""
    children: dict[int, list[int]] = {}
    for child, parent in _from_proc() if Path("/proc/self/stat").exists() else _from_ps():
        children.setdefault(parent, []).append(child)
    leaf = pid
    while len(below := children.get(leaf, [])) == 1:
        leaf = below[0]
    return None if below or leaf == pid else leaf


def _from_proc() -> list[tuple[int, int]]:
    found = []
    # os.listdir, not Path.iterdir: the latter may be left with its directory open.
    for entry in map(Path("/proc").joinpath, os.listdir("/proc")):
        if entry.name.isdigit():
            # One that ends while it is looked at is as good as gone.
            with contextlib.suppress(OSError):
                # "pid (name) state parent ..."; the name may hold anything, ")" included.
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found.append((int(entry.name), int(parent)))
    return found


def _from_ps() -> list[tuple[int, int]]:
    output = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    return [(int(pid), int(parent)) for pid, parent in map(str.split, output.splitlines())]
