"""A count of log lines that includes the lines which the log limit has left out."""

from __future__ import annotations

import re

__all__ = ["count_lines"]


def count_lines(log: str, message: str) -> int:
    """Return the number of lines with this message that were written or reported as left out."""
    lines = [line for line in log.splitlines() if message in line]
    left_out = [re.search(r"left_out=(\d+)", line) for line in lines]
    reports = sum("log lines like this were left out" in line for line in lines)
    return len(lines) - reports + sum(int(found[1]) for found in left_out if found)
