"""The progress bar of a run, on standard error."""

from __future__ import annotations

import threading
from typing import TextIO

from gateway_shim.parity.scenario import Scenario

__all__ = ["ProgressBar"]

_BAR = 30


class ProgressBar:
    """A progress bar, on a terminal only.

    Args:
        stream: where to draw; where it is no terminal, nothing is written.
        total: how many steps there are.
    """

    def __init__(self, stream: TextIO, total: int) -> None:
        self._stream = stream
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        self._on = stream.isatty() and total > 0

    def step(self, text: str) -> None:
        """One more is done; safe from any thread."""
        with self._lock:
            self._done += 1
            if self._on:
                filled = _BAR * self._done // self._total
                bar = "#" * filled + "." * (_BAR - filled)
                self._stream.write(f"\r\x1b[K[{bar}] {self._done}/{self._total} {text[:40]}")
                self._stream.flush()

    def played(self, scenario: Scenario) -> None:
        """A scenario has been played."""
        self.step(scenario.id)

    def clear(self) -> None:
        """Take the bar away."""
        if self._on:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
