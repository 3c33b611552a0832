"""The processes that the bench starts: their environment, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from app.bench.errors import BenchFailed
from app.config import Settings

__all__ = ["child_environment", "kill", "require_linux"]

_ROOT = str(Path(__file__).resolve().parents[2])


def require_linux() -> None:
    """Check that this machine runs Linux.

    Raises:
        BenchFailed: the machine has no epoll and no /proc.
    """
    if not sys.platform.startswith("linux"):
        raise BenchFailed("the bench runs on Linux only, because it uses /proc and epoll")


def child_environment(**settings: str) -> dict[str, str]:
    """Return the environment for a new process: this process's, without the backend's settings.

    Args:
        settings: the variables to add.
    """
    ours = {name.upper() for name in Settings.model_fields} | {"GUNICORN_CMD_ARGS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH", "")]))
    return kept | {"PYTHONPATH": path} | settings


def kill(process: subprocess.Popen[bytes], *, wait_seconds: float = 0.0) -> None:
    """Wait for a process to end, then kill its whole session. This may be called twice.

    Args:
        process: a process that was started with ``start_new_session=True``.
        wait_seconds: the time that the process has to end by itself.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait_seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
