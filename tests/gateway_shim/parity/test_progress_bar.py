"""The progress bar: drawn on a terminal, and nowhere else."""

from __future__ import annotations

import io

from gateway_shim.parity.progress_bar import ProgressBar
from gateway_shim.parity.scenario import Scenario


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal() -> None:
    """The bar is redrawn in place and removed at the end."""
    terminal = _Terminal()
    bar = ProgressBar(terminal, 2)
    bar.played(Scenario("one", (), {}))
    bar.step("two")
    bar.clear()
    assert terminal.getvalue() == (
        f"\r\x1b[K[{'#' * 15}{'.' * 15}] 1/2 one\r\x1b[K[{'#' * 30}] 2/2 two\r\x1b[K"
    )


def test_progress_is_silent_elsewhere() -> None:
    """A stream that is not a terminal gets no progress."""
    stream = io.StringIO()
    bar = ProgressBar(stream, 1)
    bar.step("one")
    bar.clear()
    assert stream.getvalue() == ""
