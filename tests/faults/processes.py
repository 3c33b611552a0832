"""What a process holds: memory, descriptors, threads."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["descriptors", "memory"]


def memory(pid: int) -> int:
    """Resident memory, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")


def descriptors(pid: int) -> int:
    """How many file descriptors are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
