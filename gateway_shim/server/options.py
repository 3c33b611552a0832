"""gunicorn, started from Python: for the shim on a port and for the monolith."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.log_lines.output import drop_unwritten_output
from gateway_shim.server.addresses import bind_text
from gateway_shim.server.arbiter import StreamArbiter
from gateway_shim.server.process.listeners import close_in_copies
from gateway_shim.server.process.orphans import adopt_orphans
from gateway_shim.server.process.reload_check import ReloadCheck
from gateway_shim.server.refused_options import check_worker_class
from gateway_shim.server.requests.header_rules import MAX_HEADERS
from gateway_shim.server.server_log import PropagatingLogger
from gateway_shim.server.systemd import listening_already

__all__ = [
    "KEEP_ALIVE_SECONDS",
    "REQUEST_CONNECTIONS",
    "GunicornServer",
    "base_options",
    "check_address",
    "check_certificate",
    "hosts",
]


KEEP_ALIVE_SECONDS = 150
"""Seconds that a connection may be idle between two requests.

Longer than a proxy keeps an idle connection to its backend, so that the proxy is the one that
closes: nginx and AWS's load balancer 60 s, Traefik 90 s, Caddy 120 s. With Node's 5 s, a request
that meets the closing connection is answered 502, and a 502 ends an EventSource for good.
"""

REQUEST_CONNECTIONS = 2000
"""Connections at a time, at each address, that are no stream."""

_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
_IPV4_INSTEAD = {"::": "0.0.0.0", "::1": "127.0.0.1"}

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - no name of a file; gunicorn makes one that is its own


def base_options(
    host: str,
    port: int,
    *,
    drain_seconds: float,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    request_connections: int = REQUEST_CONNECTIONS,
    start_check: Callable[[], ReloadCheck] | None = None,
    ends_at_early_hangup: bool = False,
) -> dict[str, Any]:
    """The gunicorn settings that streams need, whatever the application.

    Args:
        host: address to listen on.
        port: TCP port.
        drain_seconds: how long the application's shutdown may take.
        keep_alive_seconds: how long a connection may be idle between two requests.
        request_connections: connections at a time, at each address, that are no stream.
        start_check: starts what is asked before a reload, whether a new worker could start.
        ends_at_early_hangup: SIGHUP before the first worker has served stops the server.
    """
    return {
        "bind": [bind_text(name, port) for name in hosts(host)],
        "worker_class": "gateway_shim.server.worker.StreamWorker",
        # The streams of one process are known to that process only.
        "workers": 1,
        "worker_connections": request_connections,
        "backlog": 4096,
        # Under gevent this is no limit on streams: it says how long the hub may be blocked.
        "timeout": 60,
        # The arbiter kills when this is over, so a drain must end earlier.
        "graceful_timeout": round(drain_seconds) + 10,
        # The time between two requests only; a head's own limit is in
        # gateway_shim/server/requests/keep_alive.py.
        "keepalive": keep_alive_seconds,
        "max_requests": 0,
        # The whole head is limited as in Node's http module
        # (gateway_shim/server/requests/request.py), and its first line by nothing else: gunicorn's
        # limit cannot be higher than this.
        "limit_request_line": 8190,
        "limit_request_fields": MAX_HEADERS,
        "limit_request_field_size": 16 * 1024,
        # A gateway forwards every header, also x_under_score. Of the names that two headers could
        # share in WSGI nothing here reads one but SCRIPT_NAME, which the worker takes out.
        "header_map": "dangerous",
        "control_socket_disable": True,
        "worker_tmp_dir": _memory_folder(),
        "logger_class": PropagatingLogger,
        "on_starting": lambda arbiter: _begin(arbiter, start_check, ends_at_early_hangup),
        "post_fork": lambda _arbiter, worker: close_in_copies(worker.sockets),
        "worker_int": lambda worker: worker.finish(),
        "worker_exit": lambda _arbiter, _worker: drop_unwritten_output(),
        "on_exit": lambda _arbiter: drop_unwritten_output(),
    }


def _memory_folder() -> str | None:
    """Where the worker's sign of life goes: in memory, for a disk may be slow, or read-only."""
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) else None


def hosts(host: str) -> list[str]:
    """Return the addresses to listen on: a host can stand for an IPv4 and an IPv6 address.

    Args:
        host: ``localhost`` is both loopback addresses, where there are two: a client that is told
            ``localhost`` may try either of them first. ``::`` is all addresses, those of IPv4
            included, as for the Node gateway. Any other is itself.
    """
    if host == "localhost":
        return ["127.0.0.1", "::1"] if _can_bind("::1") else ["127.0.0.1"]
    if host == "::" and _ipv6_is_alone():
        return ["::", "0.0.0.0"]
    return [host]


def _can_bind(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _ipv6_is_alone() -> bool:
    """Return whether a socket at ``::`` takes no IPv4 (``net.ipv6.bindv6only`` is set)."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            return probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) != 0
    except OSError:
        return False  # there is no IPv6; check_address says so


def check_address(host: str, port: int, setting: str | None = None) -> None:
    """Find out before gunicorn does whether an address can be listened on.

    gunicorn tries for five seconds and then says less. Sockets that systemd has handed over
    listen already, wherever they do.

    Args:
        host: address to listen on.
        port: TCP port.
        setting: the one setting that holds the address; None: HOST and PORT, or their options.

    Raises:
        InvalidConfiguration: it cannot; says why, and what to do.
    """
    if listening_already():
        return
    for name in hosts(host):
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((name, port))
        except OSError as exc:
            hint = f"check {setting or 'HOST and PORT'}"
            if exc.errno == errno.EADDRINUSE:
                hint = f"choose another with {setting or '--port'}"
            elif name in _IPV4_INSTEAD and exc.errno in _NO_IPV6:
                hint = f"this machine has no IPv6: use {_IPV4_INSTEAD[name]} instead"
            raise InvalidConfiguration(
                f"cannot listen on {bind_text(name, port)}: {exc.strerror}; {hint}"
            ) from exc


def check_certificate(certfile: str | None, keyfile: str | None) -> None:
    """Find out at start, not at the first client, whether a certificate can be used.

    Raises:
        InvalidConfiguration: it cannot; says why.
    """
    if certfile is None or keyfile is None:
        raise InvalidConfiguration("TLS needs both a certificate and a key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certfile, keyfile, password=_no_password
        )
    except OSError as exc:  # ssl.SSLError is one
        raise InvalidConfiguration(f"cannot use {certfile} with {keyfile}: {exc}") from exc


def _no_password() -> str:
    """Instead of OpenSSL's question at the terminal."""
    raise InvalidConfiguration("the key is encrypted; write it without a pass phrase")


def _begin(
    arbiter: Arbiter, start_check: Callable[[], ReloadCheck] | None, ends_at_early_hangup: bool
) -> None:
    check_worker_class(arbiter.cfg)
    adopt_orphans()
    StreamArbiter.take_over(arbiter, start_check, ends_at_early_hangup=ends_at_early_hangup)


class GunicornServer(BaseApplication):
    """A gunicorn that serves one application.

    Args:
        load: makes the WSGI application, in the worker's process.
        options: gunicorn settings by name.
    """

    def __init__(self, load: Callable[[], Any], options: Mapping[str, Any]) -> None:
        self._load = load
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """Apply the settings."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Make the application."""
        return self._load()
