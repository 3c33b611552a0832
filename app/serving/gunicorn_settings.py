"""How the backend is served: gunicorn's settings, for ``serve`` and for gunicorn.conf.py alike."""

from __future__ import annotations

import contextlib
import logging
import sys
from pathlib import Path
from typing import Any

from gunicorn.arbiter import Arbiter

from app.access.exposure import Area, exposure_problem
from app.config import Settings
from app.program.self_command import self_command
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.options import base_options, check_certificate
from gateway_shim.server.process.reload_check import ReloadCheck

__all__ = ["CAN_START", "gunicorn_options", "start_check"]

logger = logging.getLogger(__name__)

CAN_START = "a server can start with these settings"
"""What ``sse-monolith check`` says if so."""

_CHECK_SECONDS = 60.0

# The same as app.serving.monolith.DRAIN_SECONDS, which cannot be imported here: the arbiter reads
# this module, and must not import what the worker has to import after gevent has patched it.
_DRAIN_SECONDS = 5.0


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """gunicorn's settings by name.

    Args:
        settings: the backend's settings.

    Raises:
        InvalidConfiguration: the certificate cannot be used.
    """
    options = base_options(
        settings.host,
        settings.port,
        drain_seconds=settings.graceful_shutdown_timeout + _DRAIN_SECONDS,
        keep_alive_seconds=settings.keep_alive_seconds,
        request_connections=settings.max_request_connections,
        start_check=start_check,
    )

    if settings.certfile is not None or settings.keyfile is not None:
        check_certificate(settings.certfile, settings.keyfile)
        options["certfile"] = settings.certfile
        options["keyfile"] = settings.keyfile

    def begin(arbiter: Arbiter) -> None:
        if not settings.is_production:
            _refuse_exposure(arbiter, settings)
        _warn_of_admin_address(arbiter, settings)
        announce(arbiter)

    scheme = "https" if settings.certfile else "http"

    def announce(arbiter: Arbiter) -> None:
        # What is listened on, not what was set: gunicorn's own --bind wins over the settings.
        address = arbiter.LISTENERS[0].sock.getsockname()
        if not isinstance(address, tuple):  # a Unix socket: whoever set that up knows its URL
            return
        base = f"{scheme}://{_reachable(*address[:2])}"
        streams, tasks = Redactor().text(settings.sse_gateway_url or base), base
        if settings.admin_address is not None:
            tasks = f"{scheme}://{_reachable(*settings.admin_address)}"
        has_tasks = settings.admin_address is not None or Area.TASKS in settings.open_areas
        start = (
            f"\n  Start a task     curl {tasks}/api/tasks"
            ' -H "Content-Type: application/json" -d \'{"task_type":"demo_task"}\''
            if has_tasks or not settings.is_production
            else "\n  Start a task     served nowhere: set ADMIN_BIND, or ALLOW_OPEN=tasks"
        )
        # A full disk behind the output must not keep the server from serving.
        with contextlib.suppress(OSError):
            print(  # noqa: T201 - this is what the command is asked to say
                f"\n  Open a stream    curl -N '{streams}/api/sse/stream?request_id=me'"
                f"{start}"
                f"\n  Watch            {_this_program()} watch {streams}"
                "\n  Stop             Ctrl-C\n",
                flush=True,
            )

    if settings.admin_address is not None:
        options["bind"].append(bind_text(*settings.admin_address))
    options["when_ready"] = begin
    return options


def start_check() -> ReloadCheck:
    """Start to find out whether a worker could start with the settings of now.

    A process of its own looks, which may import what the arbiter must not.
    """
    return ReloadCheck([*self_command(), "check"], CAN_START, _CHECK_SECONDS)


def _refuse_exposure(arbiter: Arbiter, settings: Settings) -> None:
    """End the start if other machines can reach a server that is not meant for them.

    HOST was checked with the settings. These are the listening sockets: gunicorn's --bind and
    systemd's sockets win over the settings.

    Raises:
        SystemExit: with a line that says what to set.
    """
    for listener in arbiter.LISTENERS:
        address = listener.sock.getsockname()
        if isinstance(address, tuple):  # not a Unix socket
            where = f"the server listens at {bind_text(*address[:2])}"
            problem = exposure_problem(where, address[0], settings.open_areas)
            if problem is not None:
                raise SystemExit(f"sse-monolith: {problem}")


def _warn_of_admin_address(arbiter: Arbiter, settings: Settings) -> None:
    """Say that ADMIN_BIND is not listened at: --bind and systemd's sockets win over it too."""
    listeners = (listener.sock.getsockname() for listener in arbiter.LISTENERS)
    addresses = {address[:2] for address in listeners if isinstance(address, tuple)}
    admin = settings.admin_address
    if admin is not None and admin not in addresses:
        logger.warning(
            "the server does not listen at ADMIN_BIND, %s: add this address to gunicorn's --bind,"
            " or as a ListenStream= to systemd's socket unit",
            bind_text(*admin),
        )


def _reachable(host: str, port: int) -> str:
    """Return host and port for a client on this machine, where a server may listen on all."""
    return bind_text({"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host), port)


def _this_program() -> str:
    """How the person at the terminal has called this program, or could have."""
    called = Path(sys.argv[0])
    return sys.argv[0] if called.name == "sse-monolith" else "python -m app"
