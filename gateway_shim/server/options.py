"""gunicorn's settings for a server of streams, and the reason for each.

:mod:`gateway_shim.server.refused_options` has the settings that would lose events.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.arbiter import Arbiter

from gateway_shim.log_lines.output import drop_unwritten_output
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.arbiter import prepare_arbiter
from gateway_shim.server.preflight import hosts
from gateway_shim.server.process.garbage import leave_garbage
from gateway_shim.server.process.listeners import close_in_copies
from gateway_shim.server.process.reload_check import ReloadCheck
from gateway_shim.server.requests.header_rules import MAX_HEADERS
from gateway_shim.server.server_log import PropagatingLogger

__all__ = ["KEEP_ALIVE_SECONDS", "REQUEST_CONNECTIONS", "base_options"]

KEEP_ALIVE_SECONDS = 150
"""The time that a connection may be idle between two requests, seconds.

It is longer than a proxy keeps an idle connection to its backend, so that the proxy closes first:
nginx and AWS's load balancer after 60 s, Traefik after 90 s, Caddy after 120 s. With Node's 5 s a
request can meet a connection that is closing. The proxy then answers 502, and a 502 ends an
EventSource for good.
"""

REQUEST_CONNECTIONS = 2000
"""The limit on connections that are not streams, at a time, for each listening address."""

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a folder in memory, in which gunicorn creates its own file


def base_options(
    host: str,
    port: int,
    *,
    drain_seconds: float,
    workers: int = 1,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    request_connections: int = REQUEST_CONNECTIONS,
    start_check: Callable[[], ReloadCheck] | None = None,
    ends_at_early_hangup: bool = False,
    at_start: Callable[[Arbiter], None] | None = None,
) -> dict[str, Any]:
    """Return the gunicorn settings that streams need, by name, for any application.

    Args:
        host: address to listen on.
        port: TCP port.
        drain_seconds: how long the application's shutdown may take.
        workers: the number of workers. More than one need an event log that they share, which
            ``at_start`` prepares.
        keep_alive_seconds: how long a connection may be idle between two requests.
        request_connections: the limit on connections that are not streams, at a time, for each
            listening address.
        start_check: starts the check before a reload, which finds out if a new worker could start.
        ends_at_early_hangup: SIGHUP before the first worker has served stops the server.
        at_start: called with the arbiter before it listens and forks; not called at a reload. It
            raises SystemExit with a message if the server must not start.
    """
    return {
        "bind": [bind_text(name, port) for name in hosts(host)],
        "worker_class": "gateway_shim.server.worker.StreamWorker",
        # Always given: gunicorn's own default is WEB_CONCURRENCY, whatever the application needs.
        "workers": workers,
        "worker_connections": request_connections,
        "backlog": 4096,
        # Under gevent this does not limit streams: it limits how long the event loop may be
        # blocked, seconds.
        "timeout": 60,
        # The arbiter kills the worker after this time, so a drain must end earlier.
        "graceful_timeout": round(drain_seconds) + 10,
        # Only the time between two requests. gateway_shim/server/connections/keep_alive.py limits
        # the time for a request's head.
        "keepalive": keep_alive_seconds,
        "max_requests": 0,
        # The whole head is limited as in Node's http module
        # (gateway_shim/server/requests/request.py). The first line has no other limit, and
        # gunicorn's limit for that line cannot be higher than this.
        "limit_request_line": 8190,
        "limit_request_fields": MAX_HEADERS,
        "limit_request_field_size": 16 * 1024,
        # A gateway forwards every header, also x_under_score. Two headers can share one name in
        # WSGI. Of these names the application reads only SCRIPT_NAME, which the worker removes.
        "header_map": "dangerous",
        "control_socket_disable": True,
        "worker_tmp_dir": _memory_folder(),
        "logger_class": PropagatingLogger,
        "on_starting": partial(
            _start,
            start_check=start_check,
            ends_at_early_hangup=ends_at_early_hangup,
            at_start=at_start,
        ),
        "post_fork": lambda _arbiter, worker: close_in_copies(worker.sockets),
        "worker_int": lambda worker: worker.finish(),
        "worker_exit": lambda _arbiter, _worker: _end(),
        "on_exit": lambda _arbiter: _end(),
    }


def _start(
    arbiter: Arbiter,
    *,
    start_check: Callable[[], ReloadCheck] | None,
    ends_at_early_hangup: bool,
    at_start: Callable[[Arbiter], None] | None,
) -> None:
    """Prepare the arbiter (gunicorn's ``on_starting``)."""
    prepare_arbiter(arbiter, start_check, ends_at_early_hangup=ends_at_early_hangup)
    if at_start is not None:
        at_start(arbiter)


def _end() -> None:
    """Prepare the exit of the worker or of the arbiter."""
    drop_unwritten_output()
    leave_garbage()


def _memory_folder() -> str | None:
    """Return the folder for the worker's heartbeat file.

    The folder is in memory, because a disk may be slow or read-only.
    """
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) else None
