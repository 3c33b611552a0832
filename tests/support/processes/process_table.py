"""Facts that the system knows about processes: parents, children and open descriptors."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

__all__ = ["descriptors", "only_descendant", "parent_of"]


def descriptors(pid: int) -> int:
    """Return the number of file descriptors that a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def parent_of(pid: int) -> int:
    """Return the process id of a process's parent."""
    # "pid (name) state parent ..."; the name may contain any character, including ")".
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def only_descendant(pid: int) -> int | None:
    """Return the last process of a chain of children.

    Args:
        pid: the process at which the chain begins.

    Returns:
        The child of the child (and so on) of the process. None if the process has no child, or
        if a process of the chain has several children.
    """
    children: dict[int, list[int]] = {}
    for child, parent in _from_proc() if Path("/proc/self/stat").exists() else _from_ps():
        children.setdefault(parent, []).append(child)
    leaf = pid
    while len(below := children.get(leaf, [])) == 1:
        leaf = below[0]
    return None if below or leaf == pid else leaf


def _from_proc() -> list[tuple[int, int]]:
    found = []
    # os.listdir and not Path.iterdir: an unfinished iterdir leaves its directory open.
    for entry in map(Path("/proc").joinpath, os.listdir("/proc")):
        if entry.name.isdigit():
            # A process that ends while we read its entry counts as gone.
            with contextlib.suppress(OSError):
                # "pid (name) state parent ..."; the name may contain any character, including ")".
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    found.append((int(entry.name), int(parent)))
    return found


def _from_ps() -> list[tuple[int, int]]:
    output = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    return [(int(pid), int(parent)) for pid, parent in map(str.split, output.splitlines())]
