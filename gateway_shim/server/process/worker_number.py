"""The number of this worker among the workers of its server: 1, 2, …

A worker that replaces another one, at a reload or after a crash, gets its number. So numbers can be
labels of metrics.
"""

from __future__ import annotations

__all__ = ["set_worker_number", "worker_number"]

_number = 1


def set_worker_number(number: int) -> None:
    """Set the number of this process. The worker calls it after the fork."""
    global _number
    _number = number


def worker_number() -> int:
    """Return the number of this process; 1 in a process that no arbiter has forked."""
    return _number
