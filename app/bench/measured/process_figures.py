"""The resources that a process uses, as the kernel counts them."""

from __future__ import annotations

import os
from pathlib import Path

from gateway_shim.server.process.freed_memory import resident_bytes

__all__ = ["cpu_seconds", "only_child", "resident_bytes"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process, in user mode and in the kernel, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def only_child(pid: int) -> int | None:
    """Return the PID of a process's only child; None if there is no child, or several."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if len(children) == 1 else None
