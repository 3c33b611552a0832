"""Facts that the system knows about processes: parents, children and open descriptors."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

__all__ = ["descriptors", "first_siblings", "only_descendant", "parent_of"]


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
    leaf = pid
    while len(below := _children(leaf)) == 1:
        leaf = below[0]
    return None if below or leaf == pid else leaf


def first_siblings(pid: int) -> list[int]:
    """Return the children of the first process of a chain that has several, oldest first.

    Args:
        pid: the process at which the chain begins.

    Returns:
        The process ids; none if the chain ends without a process that has several children.
    """
    below = _children(pid)
    while len(below) == 1:
        below = _children(below[0])
    return sorted(below)


def _children(pid: int) -> list[int]:
    has_lists = Path(f"/proc/self/task/{os.getpid()}/children").exists()
    return _from_proc(pid) if has_lists else _from_ps(pid)


def _from_proc(pid: int) -> list[int]:
    """Return the children of a process, from the lists that the kernel keeps for each thread.

    To read the entries of all processes would take 5 ms, and the callers ask again and again.
    """
    found = []
    with contextlib.suppress(OSError):  # the process has ended
        # os.listdir and not Path.iterdir: an unfinished iterdir leaves its directory open.
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in _read(f"/proc/{pid}/task/{thread}/children").split():
                # "pid (name) state parent ..."; the name may contain any character, including ")".
                state = _read(f"/proc/{child}/stat").rpartition(")")[2].split()[:1]
                if state not in ([], ["Z"]):
                    found.append(int(child))
    return found


def _read(path: str) -> str:
    """Return the text of an entry in /proc; no text if its process or thread has ended."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _from_ps(pid: int) -> list[int]:
    """Return the children of a process, from the list of all processes."""
    output = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    pairs = (map(int, line.split()) for line in output.splitlines())
    return [child for child, parent in pairs if parent == pid]
