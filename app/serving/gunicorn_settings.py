"""gunicorn's settings for the backend, used by ``serve`` and by gunicorn.conf.py."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from gunicorn.arbiter import Arbiter

from app.access.exposure import exposure_problem
from app.config import Settings
from app.program.self_command import self_command
from app.serving.announcement import announce
from app.serving.drain import DRAIN_SECONDS
from app.serving.log_place import prepare_log_place
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.options import base_options
from gateway_shim.server.preflight import check_certificate
from gateway_shim.server.process.reload_check import ReloadCheck

__all__ = ["CAN_START", "gunicorn_options", "start_check"]

logger = logging.getLogger(__name__)

CAN_START = "a server can start with these settings"
"""The line that ``sse-monolith check`` prints if a server could start."""

_CHECK_SECONDS = 60.0


def gunicorn_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings by name.

    Args:
        settings: the backend's settings.

    Raises:
        InvalidConfiguration: the certificate cannot be used.
    """
    options = base_options(
        settings.host,
        settings.port,
        drain_seconds=settings.graceful_shutdown_timeout + DRAIN_SECONDS,
        workers=settings.web_concurrency,
        keep_alive_seconds=settings.keep_alive_seconds,
        request_connections=settings.max_request_connections,
        start_check=start_check,
        at_start=partial(prepare_log_place, settings=settings),
    )
    if settings.certfile is not None or settings.keyfile is not None:
        check_certificate(settings.certfile, settings.keyfile)
        options["certfile"] = settings.certfile
        options["keyfile"] = settings.keyfile
    if settings.admin_address is not None:
        options["bind"].append(bind_text(*settings.admin_address))
    options["when_ready"] = partial(_check_and_announce, settings=settings)
    return options


def start_check() -> ReloadCheck:
    """Start a check of the present settings: whether a worker could start with them.

    The check is a separate program: it imports the application, which the arbiter must not do.
    """
    return ReloadCheck([*self_command(), "check"], CAN_START, _CHECK_SECONDS)


def _check_and_announce(arbiter: Arbiter, *, settings: Settings) -> None:
    """Check the listening sockets, and print the next steps (gunicorn's ``when_ready``)."""
    if not settings.is_production:
        _refuse_exposure(arbiter, settings)
    _warn_of_missing_admin_address(arbiter, settings)
    announce(arbiter.LISTENERS[0].sock.getsockname(), settings, arbiter.cfg.workers)


def _refuse_exposure(arbiter: Arbiter, settings: Settings) -> None:
    """Stop the start if other machines can reach a server that is meant for this machine only.

    HOST was checked with the settings. This checks the sockets that listen, because gunicorn's
    --bind and systemd's sockets take precedence.

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


def _warn_of_missing_admin_address(arbiter: Arbiter, settings: Settings) -> None:
    """Log a warning if no socket listens at ADMIN_BIND.

    gunicorn's --bind and systemd's sockets take precedence over this setting as well.
    """
    listeners = (listener.sock.getsockname() for listener in arbiter.LISTENERS)
    addresses = {address[:2] for address in listeners if isinstance(address, tuple)}
    admin = settings.admin_address
    if admin is not None and admin not in addresses:
        logger.warning(
            "the server does not listen at ADMIN_BIND, %s: add this address to gunicorn's --bind,"
            " or as a ListenStream= to systemd's socket unit",
            bind_text(*admin),
        )
