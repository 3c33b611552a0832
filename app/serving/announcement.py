"""The lines that a server prints when it listens: the commands for the next steps."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from app.access.exposure import Area
from app.config import Settings
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.server.addresses import bind_text

__all__ = ["announce"]


def announce(address: object, settings: Settings, workers: int = 1) -> None:
    """Print the address of the console, and the commands for a stream, a task, watch and stop.

    The number of workers is printed, too, if there are several.

    Args:
        address: the address of the first listening socket, from ``getsockname``. It can differ
            from HOST and PORT, because gunicorn's ``--bind`` takes precedence. Nothing is
            printed for a Unix socket, because it has no URL.
        settings: the backend's settings.
        workers: the number of workers.
    """
    if not isinstance(address, tuple):
        return
    # A full disk behind the output must not keep the server from serving.
    with contextlib.suppress(OSError):
        print(_announcement(address[0], address[1], settings, workers), flush=True)  # noqa: T201 - for people


def _announcement(host: str, port: int, settings: Settings, workers: int) -> str:
    scheme = "https" if settings.certfile else "http"
    base = f"{scheme}://{_reachable(host, port)}"
    streams, tasks = Redactor().text(settings.sse_gateway_url or base), base
    operators = settings.admin_address or (host, port)
    if settings.admin_address is not None:
        tasks = f"{scheme}://{_reachable(*settings.admin_address)}"
    has_console = settings.areas.has_console(*operators)
    console = f"{tasks}/console" if has_console else "off: set SSE_CONSOLE_PASSWORD"
    serves_tasks = (
        settings.admin_address is not None
        or Area.TASKS in settings.open_areas
        or not settings.is_production
    )
    start = (
        f'curl {tasks}/api/tasks -H "Content-Type: application/json"'
        ' -d \'{"task_type":"demo_task"}\''
        if serves_tasks
        else "not possible yet: set ADMIN_BIND, or ALLOW_OPEN=tasks"
    )
    count = f"\n  Workers          {workers}" if workers > 1 else ""
    return (
        f"{count}\n  Console          {console}"
        f"\n  Open a stream    curl -N '{streams}/api/sse/stream?request_id=me'"
        f"\n  Start a task     {start}"
        f"\n  Watch            {_typed_command()} watch {streams}"
        "\n  Stop             Ctrl-C\n"
    )


def _reachable(host: str, port: int) -> str:
    """Return host and port for a client on this machine; a server may listen on all addresses."""
    return bind_text({"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host), port)


def _typed_command() -> str:
    """Return the command that the user has typed, or one that does the same."""
    typed = Path(sys.argv[0])
    return sys.argv[0] if typed.name == "sse-monolith" else "python -m app"
