"""gunicorn, started from Python: for the shim on a port and for the monolith."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from gateway_shim.addresses import bind_text
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.orphans import adopt_orphans
from gateway_shim.output import drop_unwritten_output
from gateway_shim.program_files import ProgramFiles
from gateway_shim.refused_options import ONE_WORKER, check_worker_class, refused_options
from gateway_shim.server_log import PropagatingLogger
from gateway_shim.systemd import Notifier, listening_already

__all__ = [
    "KEEP_ALIVE_SECONDS",
    "GunicornServer",
    "base_options",
    "check_address",
    "check_certificate",
    "hosts",
    "prepare_arbiter",
]


logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 150
"""Seconds that a connection may be idle between two requests.

Longer than a proxy keeps an idle connection to its backend, so that the proxy is the one that
closes: nginx and AWS's load balancer 60 s, Traefik 90 s, Caddy 120 s. With Node's 5 s, a request
that meets the closing connection is answered 502, and a 502 ends an EventSource for good.
"""

_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - no name of a file; gunicorn makes one that is its own


_STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


def base_options(
    host: str,
    port: int,
    *,
    drain_seconds: float,
    keep_alive_seconds: int = KEEP_ALIVE_SECONDS,
    why_not: Callable[[], str | None] = lambda: None,
) -> dict[str, Any]:
    """The gunicorn settings that streams need, whatever the application.

    Args:
        host: address to listen on.
        port: TCP port.
        drain_seconds: how long the application's shutdown may take.
        keep_alive_seconds: how long a connection may be idle between two requests.
        why_not: asked before a reload: why a new worker could not start; None if it could.
    """
    return {
        "bind": [bind_text(name, port) for name in hosts(host)],
        "worker_class": "gateway_shim.worker.StreamWorker",
        # The streams of one process are known to that process only.
        "workers": 1,
        # Requests being served at a time; streams do not count, they leave the pool.
        "worker_connections": 2000,
        "backlog": 4096,
        # Under gevent this is no limit on streams: it says how long the hub may be blocked.
        "timeout": 60,
        # The arbiter kills when this is over, so a drain must end earlier.
        "graceful_timeout": round(drain_seconds) + 10,
        # The time between two requests only; a head's own limit is in gateway_shim/keep_alive.py.
        "keepalive": keep_alive_seconds,
        "max_requests": 0,
        # The whole head is limited to 16 KiB (gateway_shim/server_request.py).
        "limit_request_line": 8190,
        "limit_request_fields": 1000,
        "limit_request_field_size": 16 * 1024,
        # A gateway forwards every header, also x_under_score. Of the names that two headers could
        # share in WSGI nothing here reads one but SCRIPT_NAME, which the worker takes out.
        "header_map": "dangerous",
        "control_socket_disable": True,
        "worker_tmp_dir": _memory_folder(),
        "logger_class": PropagatingLogger,
        "on_starting": lambda arbiter: _begin(arbiter, why_not),
        "worker_int": lambda worker: worker.finish(),
        "worker_exit": lambda _arbiter, _worker: drop_unwritten_output(),
        "on_exit": lambda _arbiter: drop_unwritten_output(),
    }


def _memory_folder() -> str | None:
    """Where the worker's sign of life goes: in memory, for a disk may be slow, or read-only."""
    return _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK | os.X_OK) else None


def hosts(host: str) -> list[str]:
    """The addresses to listen on: ``localhost`` is both loopback addresses, where there are two.

    A client that is told ``localhost`` may try either of them first.
    """
    if host != "localhost":
        return [host]
    return ["127.0.0.1", "::1"] if _can_bind("::1") else ["127.0.0.1"]


def _can_bind(address: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


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
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((name, port))
            except OSError as exc:
                hint = f"check {setting or 'HOST and PORT'}"
                if exc.errno == errno.EADDRINUSE:
                    hint = f"choose another with {setting or '--port'}"
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


def _begin(arbiter: Arbiter, why_not: Callable[[], str | None]) -> None:
    check_worker_class(arbiter.cfg)
    adopt_orphans()
    prepare_arbiter(arbiter, why_not)


def prepare_arbiter(arbiter: Arbiter, why_not: Callable[[], str | None]) -> None:
    """Change some of the arbiter's signals; called by gunicorn's ``on_starting`` hook.

    A second SIGTERM ends the shutdown sooner. While it waits for its workers the arbiter minds
    SIGINT and SIGQUIT only, so a SIGTERM that arrives then is queued as a SIGQUIT.

    One that arrives during a reload ends that sooner: the arbiter would first wait for the
    replaced worker, and that one for its tasks.

    A reload that could not work is refused: the arbiter would end the worker that serves before
    it knows whether another one can start, and then itself. So is one after the program's files
    have changed: the next worker would be a mix of what is loaded and what is there now.

    SIGTTIN, which would add a worker, does nothing: its streams would miss every event. Options
    that the start refuses are set back at a reload, with a line in the log.

    The worker tells systemd how the service is. Only a stop is told by the arbiter.

    Args:
        arbiter: gunicorn's.
        why_not: asked before a reload: why a new worker could not start; None if it could.
    """
    program = ProgramFiles.of_this_process()
    notifier = Notifier.taken_from(os.environ)
    setattr(arbiter.worker_class, "notifier", notifier)  # noqa: B010 - gunicorn's type lacks it
    queue = arbiter.signal
    stop = arbiter.stop
    reload = arbiter.reload
    setup = arbiter.setup
    stopping = reloading = False

    def note_stop(graceful: bool = True) -> None:
        nonlocal stopping
        if not stopping:
            notifier.stopping()
        stopping = True
        stop(graceful)

    def note_reload() -> None:
        nonlocal reloading
        problem = program.change()
        if problem is None:
            with _own_children():
                problem = why_not()
        if problem is not None:
            logger.error("reload refused, the running worker goes on: %s", problem)
            return
        reloading = True
        try:
            reload()
        finally:
            reloading = False

    def note_setup(app: BaseApplication) -> None:
        # Only reloads come here: the first set-up was before the hook, and check_config sees it.
        for refused in refused_options(app.cfg):
            logger.error("ignored: %s", refused.message)
            app.cfg.set(refused.name, refused.safe_value)
        setup(app)

    def enqueue(sig: int, frame: FrameType | None) -> None:
        if reloading and sig in _STOPS:
            _hurry_replaced_workers(arbiter)
        queue(signal.SIGQUIT if stopping and sig == signal.SIGTERM else sig, frame)

    def refuse_worker() -> None:
        logger.warning("SIGTTIN ignored: %s", ONE_WORKER)

    # A hook has no other way in.
    arbiter.stop = note_stop  # type: ignore[method-assign]
    arbiter.reload = note_reload  # type: ignore[method-assign]
    arbiter.setup = note_setup  # type: ignore[method-assign]
    arbiter.signal = enqueue  # type: ignore[method-assign]
    arbiter.handle_ttin = refuse_worker  # type: ignore[method-assign]


@contextlib.contextmanager
def _own_children() -> Iterator[None]:
    """Keep the arbiter from taking the end of another child for that of a worker."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)
        signal.raise_signal(signal.SIGCHLD)  # a worker may have ended meanwhile


def _hurry_replaced_workers(arbiter: Arbiter) -> None:
    workers = list(arbiter.WORKERS.items())
    newest = max((worker.age for _, worker in workers), default=0)
    for pid, worker in workers:
        if worker.age < newest:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)


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
