"""What is shown meanwhile."""

from __future__ import annotations

import io
import os

import pytest

from app.bench.progress import Progress


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_lines() -> None:
    """Where there is no terminal, each step is a line."""
    out = io.StringIO()
    progress = Progress(2, out)
    progress.tell("one")
    progress.advance()
    progress.tell("two")
    progress.clear()
    assert out.getvalue() == "[1/2] one\n[2/2] two\n"


def test_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal one line is written again and again, never wider than it, and then cleared."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 20)))
    out = Terminal()
    progress = Progress(2, out)
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
