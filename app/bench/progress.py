"""The progress of the bench: a bar on a terminal, or else one line per step."""

from __future__ import annotations

import shutil
from typing import TextIO

__all__ = ["BenchProgress"]

_BAR = 24


class BenchProgress:
    """A bar that shows the finished sections and the present step.

    Args:
        total: the number of sections.
        out: the output, a terminal or a file.
    """

    def __init__(self, total: int, out: TextIO) -> None:
        self._total = total
        self._done = 0
        self._out = out
        self._on_terminal = out.isatty()

    def tell(self, step: str) -> None:
        """Show the present step."""
        if not self._on_terminal:
            self._write(f"[{self._done + 1}/{self._total}] {step}\n")
            return
        filled = _BAR * self._done // self._total
        width = shutil.get_terminal_size().columns - 1
        line = f"[{'#' * filled}{'.' * (_BAR - filled)}] {step}"
        self._write("\r" + line[:width].ljust(width))

    def advance(self) -> None:
        """Count a section as finished."""
        self._done += 1

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._on_terminal:
            self._write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
