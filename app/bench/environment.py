"""What the processes that the bench starts live in: environment, limits, and their end."""

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
    """Check that this machine has what the bench measures with.

    Raises:
        BenchFailed: it has no epoll or no /proc.
    """
    if not sys.platform.startswith("linux"):
        raise BenchFailed("the bench reads /proc and uses epoll: it runs on Linux only")


def child_environment(**settings: str) -> dict[str, str]:
    """The environment of a process to start: this one's without any setting of the backend.

    Args:
        settings: added to it.
    """
    ours = {name.upper() for name in Settings.model_fields} | {"GUNICORN_CMD_ARGS"}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    path = os.pathsep.join(filter(None, [_ROOT, os.environ.get("PYTHONPATH", "")]))
    return kept | {"PYTHONPATH": path} | settings


def kill(process: subprocess.Popen[bytes], *, wait_seconds: float = 0.0) -> None:
    """Wait for a process to end, then kill what is left of its session. Allowed twice.

    Args:
        process: started with ``start_new_session=True``.
        wait_seconds: how long it may take by itself.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait_seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
