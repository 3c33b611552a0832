"""The descriptors that a process holds."""

from __future__ import annotations

import os

__all__ = ["descriptors"]


def descriptors(pid: int) -> int:
    """How many file descriptors are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
