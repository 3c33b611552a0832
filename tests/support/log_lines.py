"""Counts the lines of a server's log, those that its limit has left out included."""

from __future__ import annotations

import re

__all__ = ["count_lines"]


def count_lines(log: str, message: str) -> int:
    """Count how often a line was written or left out, as far as the log says so yet."""
    lines = [line for line in log.splitlines() if message in line]
    left_out = [re.search(r"left_out=(\d+)", line) for line in lines]
    reports = sum("log lines like this were left out" in line for line in lines)
    return len(lines) - reports + sum(int(found[1]) for found in left_out if found)
