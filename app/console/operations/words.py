"""Figures in words: counts, sizes and durations. Pure."""

from __future__ import annotations

__all__ = ["count", "is_or_are", "size", "span"]

_STEP = 1024
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 stream" or "1,200 streams"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def is_or_are(number: int) -> str:
    """Return the verb that follows :func:`count`."""
    return "is" if number == 1 else "are"


def size(number: float) -> str:
    """Return a number of bytes, such as "1 MiB" or "3.4 MiB"."""
    unit = 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number /= _STEP
        unit += 1
    text = f"{number:.1f}".removesuffix(".0") if number < 100 else f"{number:.0f}"
    return f"{text} {_UNITS[unit]}"


def span(seconds: float) -> str:
    """Return a duration, such as "40 s" or "12 minutes"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes"
