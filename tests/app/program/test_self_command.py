"""Commands that start this program again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.program.self_command import is_binary, module_command, self_command
from tests.support.processes.server import ROOT


def test_from_the_source() -> None:
    """From the source, the command is this Python with a module."""
    assert is_binary() is False
    assert self_command() == [sys.executable, "-m", "app"]
    assert module_command("app.bench.clients.crowd") == [
        sys.executable,
        "-m",
        "app.bench.clients.crowd",
    ]


def test_in_the_binary(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the binary, the command is the binary, with ``-m`` for modules of this program."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/sse-monolith")
    assert is_binary() is True
    assert self_command() == ["/opt/sse-monolith"]
    assert module_command("app.bench.clients.crowd") == [
        "/opt/sse-monolith",
        "-m",
        "app.bench.clients.crowd",
    ]


def test_it_is_this_program() -> None:
    """The command starts this program."""
    ran = subprocess.run([*self_command(), "--help"], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.startswith("Usage: sse-monolith ")
