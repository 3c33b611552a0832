"""The resources that a process uses, as the kernel counts them."""

from __future__ import annotations

import os
from pathlib import Path

from gateway_shim.server.process.freed_memory import resident_bytes

__all__ = [
    "children",
    "cpu_nanoseconds",
    "kib_each",
    "private_bytes",
    "resident_bytes",
]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_nanoseconds(pid: int) -> int:
    """Return the CPU time of a process, in user mode and in the kernel, nanoseconds.

    The kernel counts ticks of 10 ms. As whole numbers, two times of the same length are equal.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 10**9 // _TICKS_PER_SECOND


def private_bytes(pid: int) -> int:
    """Return the resident memory of a process that belongs to it alone (RssAnon), bytes.

    Mapped files and shared memory do not count. So the pages of the event log, which exist once
    for all streams, are left out, and what the process keeps for each stream remains.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def kib_each(size: int, count: int) -> float:
    """Return the memory of each of ``count`` streams, KiB; 0 if the process has become smaller.

    A process may become smaller at any time, because it gives freed memory back. Beside that, a few
    streams are nothing.
    """
    return max(size, 0) / count / 1024


def children(pid: int) -> list[int]:
    """Return the PIDs of a process's children, oldest first."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
