"""What a person sees while the bench runs: a bar on a terminal, else a line a step."""

from __future__ import annotations

import shutil
from typing import TextIO

__all__ = ["Progress"]

_BAR = 24


class Progress:
    """Shows which of several sections runs, and what it does.

    Args:
        total: how many sections there are.
        out: where to.
    """

    def __init__(self, total: int, out: TextIO) -> None:
        self._total = total
        self._done = 0
        self._out = out
        self._on_terminal = out.isatty()

    def tell(self, what: str) -> None:
        """Say what is being done."""
        if not self._on_terminal:
            self._write(f"[{self._done + 1}/{self._total}] {what}\n")
            return
        filled = _BAR * self._done // self._total
        width = shutil.get_terminal_size().columns - 1
        line = f"[{'#' * filled}{'.' * (_BAR - filled)}] {what}"
        self._write("\r" + line[:width].ljust(width))

    def advance(self) -> None:
        """A section is over."""
        self._done += 1

    def clear(self) -> None:
        """Leave nothing of a bar behind."""
        if self._on_terminal:
            self._write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
