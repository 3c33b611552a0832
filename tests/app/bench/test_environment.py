"""The environment and the end of the bench's processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.bench.environment import child_environment, kill, require_linux
from app.bench.errors import BenchFailed


def test_child_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child gets no settings of the developer, and all other variables."""
    monkeypatch.setenv("SSE_DIALECT", "envelope")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--workers 3")
    monkeypatch.setenv("OTHER", "kept")
    found = child_environment(PORT="7")
    assert "SSE_DIALECT" not in found
    assert "GUNICORN_CMD_ARGS" not in found
    assert (found["OTHER"], found["PORT"]) == ("kept", "7")


def test_require_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """On another system, the error says that the bench needs Linux."""
    monkeypatch.setattr(sys, "platform", "linux")
    require_linux()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(BenchFailed, match="Linux only"):
        require_linux()


def test_kill() -> None:
    """A process and its children are killed; a second call is not an error."""
    process = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    kill(process)
    kill(process)
    assert process.returncode == -9
    assert process.stdout.read() == b""  # no process is left that could write
    process.stdout.close()
