"""The progress of the bench."""

from __future__ import annotations

import io
import os

import pytest

from app.bench.progress import BenchProgress


class FakeTerminal(io.StringIO):
    """An output that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def test_lines() -> None:
    """Without a terminal, each step is a line."""
    out = io.StringIO()
    progress = BenchProgress(2, out)
    progress.tell("one")
    progress.advance()
    progress.tell("two")
    progress.clear()
    assert out.getvalue() == "[1/2] one\n[2/2] two\n"


def test_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, one line is overwritten within the terminal's width, then cleared."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 20)))
    out = FakeTerminal()
    progress = BenchProgress(2, out)
    progress.tell("one")
    progress.advance()
    progress.tell("two with a very long text")
    progress.clear()
    assert out.getvalue().split("\r") == [
        "",
        "[........................] one".ljust(39),
        "[############............] two with a v",
        " " * 39,
        "",
    ]
