"""What the kernel says a process uses."""

from __future__ import annotations

import os
from pathlib import Path

from gateway_shim.server.process.freed_memory import resident_bytes

__all__ = ["cpu_seconds", "only_child", "resident_bytes"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used, its own and the kernel's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def only_child(pid: int) -> int | None:
    """A process's child; None if it has none, or several."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if len(children) == 1 else None
