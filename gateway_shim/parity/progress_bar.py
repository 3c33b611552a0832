"""The progress bar of a run, on standard error."""

from __future__ import annotations

import threading
from typing import TextIO

from gateway_shim.parity.scenario import Scenario

__all__ = ["ProgressBar"]

_BAR = 30


class ProgressBar:
    """A progress bar, drawn on terminals only.

    Args:
        stream: the output; nothing is written if it is not a terminal.
        total: the number of steps.
    """

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._on = stream.isatty() and total > 0

    def step(self, text: str) -> None:
        """Count one more step and redraw the bar; any thread may call this method."""
        with self._lock:
            self._done += 1
            if self._on:
                filled = _BAR * self._done // self._total
                bar = "#" * filled + "." * (_BAR - filled)
                self._stream.write(f"\r\x1b[K[{bar}] {self._done}/{self._total} {text[:40]}")
                self._stream.flush()

    def played(self, scenario: Scenario) -> None:
        """Count a scenario that has been played."""
        self.step(scenario.id)

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._on:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
