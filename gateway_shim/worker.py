"""The gunicorn worker class that hands streams to the gateway.

gunicorn parses requests and serves everything that is no stream; a stream leaves its hands as
soon as its request is read: the handler's greenlet, the parser and the environ go away, and the
gateway keeps the socket.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import gevent
from gevent.event import Event as Signal
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.errors import AppImportError
from gunicorn.http.parser import RequestParser
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from gateway_shim import contract, stream_request
from gateway_shim.bad_request import bad_request
from gateway_shim.child_watcher import use_child_watchers
from gateway_shim.client_address import TrustedProxies
from gateway_shim.contract import Refusal, Route
from gateway_shim.descriptors import idle_allowed, raise_limit
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.generations import Generations
from gateway_shim.keep_alive import HEAD_SECONDS, KeptConnections
from gateway_shim.last_answer import send_last
from gateway_shim.line_limit import report_left_out
from gateway_shim.patching import support_native_threads
from gateway_shim.refused_options import refused_options
from gateway_shim.request_body import drop_body, read_body
from gateway_shim.runtime import Runtime, runtime_of
from gateway_shim.server_request import (
    ServerRequest,
    address_of,
    client_of,
    stream_request_of,
)
from gateway_shim.systemd import Notifier
from gateway_shim.tcp import detect_dead_peers
from gateway_shim.tls import TlsServer

__all__ = ["StreamWorker"]

_NOTIFY_SECONDS = 1.0

_SWITCH_SECONDS = 0.0001
"""How long a native thread may keep the interpreter while the hub wants it.

Every ``send`` lets go of the interpreter, so beside a thread that computes in Python each send of
a broadcast can cost this much. While such a thread had a processor for two seconds, the last of 50
streams got 23 to 48 of another task's events at Python's 5 ms, and all 977 at 0.1 ms (three runs
each of tests/live/test_event_loop.py on two cores).
"""

_GUNICORNS_PROXIES = ["127.0.0.1", "::1"]
"""gunicorn's ``forwarded_allow_ips`` where nobody has set it."""

_ACCEPTS_AT_ONCE = 16
"""Connections accepted before others may run, so that a storm does not starve open streams."""

_LAST_REQUESTS_SECONDS = 2.0
"""How long requests that are being answered may go on after everything else has ended."""


class StreamWorker(GeventWorker):
    """A gevent worker whose application has a :class:`~gateway_shim.runtime.Runtime`."""

    runtime: Runtime
    notifier: ClassVar[Notifier] = Notifier()
    """Whom to tell how the service is; set by the arbiter before it forks."""
    _generations: ClassVar[Generations | None] = None

    def __init__(self, age: int, *args: Any) -> None:
        """Be made by the arbiter, which forks next.

        Args:
            age: the arbiter's count of its workers.
            args: what else gunicorn's workers take.
        """
        super().__init__(age, *args)
        self.generations = StreamWorker._generations = StreamWorker._generations or Generations()
        self.generations.begin(age)

    @staticmethod
    def check_config(cfg: Any, _: Any) -> None:
        """Refuse settings that would lose events (called by the arbiter at its start).

        Raises:
            SystemExit: with a line that says which, and why.
        """
        for refused in refused_options(cfg):
            raise SystemExit(f"sse-monolith: {refused.message}")

    def patch(self) -> None:
        """Patch this process for gevent, with what native threads and their programs need."""
        use_child_watchers()
        super().patch()
        support_native_threads()
        # Not before: what it imports must find the patched modules.
        from gateway_shim.serving_process import prepare_serving_process

        prepare_serving_process()

    def init_process(self) -> None:
        """Prepare this process and serve until told to exit."""
        RequestParser.mesg_class = ServerRequest
        sys.setswitchinterval(_SWITCH_SECONDS)
        limit = raise_limit()

        def idle_limit() -> int:
            allowed = idle_allowed(limit, self.runtime.gateway.active)
            return min(self.worker_connections // 2, allowed)

        self._kept = KeptConnections(self.cfg.keepalive, idle_limit)
        self._wake: Signal | None = None
        self._busy = 0
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and find its runtime.

        Raises:
            AppImportError: a setting cannot work. gunicorn prints it as one line and ends.
        """
        try:
            super().load_wsgi()
            self.runtime = runtime_of(self.wsgi)
            self._trust_proxies()
        except InvalidConfiguration as exc:
            raise AppImportError(f"sse-monolith: {exc}") from exc

    def _trust_proxies(self) -> None:
        """Take the proxies from the application, or from gunicorn's option where that is set."""
        gateway = self.runtime.gateway
        if self.cfg.forwarded_allow_ips != _GUNICORNS_PROXIES:
            given = TrustedProxies.parse(",".join(self.cfg.forwarded_allow_ips))
            gateway.proxies = replace(given, unix=gateway.proxies.unix)
        ServerRequest.proxies = gateway.proxies

    # ------------------------------------------------------------------ requests

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection (called in a greenlet of its own)."""
        self._kept.make_room()
        super().handle(listener, client, addr)

    def timeout_ctx(self) -> Any:
        """Limit the time for a request's head; the time between two requests does not count."""
        # False: ends the block without an exception, which the type of gevent's stub lacks.
        return gevent.Timeout(HEAD_SECONDS, False)  # type: ignore[arg-type]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve one request; raising StopIteration ends gunicorn's part of the connection."""
        route = self.runtime.route(req.method, req.uri)
        if route is Route.STREAM:
            return self._open_stream(req, sock, addr)
        if route is Route.STREAM_HEAD:
            # No chunked coding announced: there is no body to come.
            request = stream_request_of(req, addr, bodiless=True)
            sock.sendall(self.runtime.gateway.stream_head(request))
            return self._keep_alive(req, sock)
        refusal = read_body(req, sock)
        if refusal is not None:
            send_last(sock, self._refusal_bytes(refusal, req, close=True))
            raise StopIteration
        client = client_of(req, addr)
        if client != address_of(addr):
            addr = client  # the application's REMOTE_ADDR; the client's port is not known
        # gunicorn would let any client say where the application is mounted.
        req.headers = [pair for pair in req.headers if pair[0] != "SCRIPT_NAME"]
        self._busy += 1
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            self._busy -= 1
        return self._keep_alive(req, sock)

    def _open_stream(self, req: Any, sock: Any, addr: Any) -> bool:
        request = stream_request_of(req, addr)
        refusal = self.runtime.gateway.open(request, sock)
        if refusal is None:
            raise StopIteration
        close = req.should_close() or not self.alive
        sock.sendall(self._refusal_bytes(refusal, req, close=close))
        return self._keep_alive(req, sock)

    def _keep_alive(self, req: Any, sock: Any) -> bool:
        """Wait for the connection's next request, or end the connection."""
        if req.should_close() or not self.alive or not drop_body(req, sock):
            raise StopIteration
        if not self._kept.wait(req.unreader, sock):
            raise StopIteration
        return True

    def _refusal_bytes(self, refusal: Refusal, req: Any | None, *, close: bool) -> bytes:
        """Return an answer in place of the application's; ``req`` is None if it is unreadable."""
        headers = {} if req is None else stream_request.join_headers(req.headers)
        cors = self.runtime.gateway.config.cors.headers(headers)
        return contract.refusal_bytes(refusal, cors, close=close)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read, as JSON; never raises."""
        refusal = bad_request(exc)
        if refusal is None:
            if not isinstance(exc, gevent.GreenletExit):  # told to end: that is no failure
                super().handle_error(req, client, addr, exc)
            return
        self.log.warning(
            "bad request",
            extra={"address": address_of(addr), "status": refusal.status, "error": str(exc)},
        )
        send_last(client, self._refusal_bytes(refusal, None, close=True))

    # ------------------------------------------------------------------ life and death

    def run(self) -> None:
        """Serve, and drain once told to exit. Returns when nothing is left to do."""
        self._wake = Signal()
        self._gone = Signal()
        servers = [self._server(listener) for listener in self.sockets]
        self.runtime.start()
        for listener, server in zip(self.sockets, servers, strict=True):
            detect_dead_peers(listener, self.runtime.gateway.config.client_timeout)
            server.max_accept = _ACCEPTS_AT_ONCE
            server.start()
        self.generations.note_served(self.age)
        self.notifier.ready()
        pause = self.notifier.interval(_NOTIFY_SECONDS)
        while self.alive:
            self.notify()
            self._wake.wait(pause)
        self._drain(servers)
        self._gone.set()

    def _server(self, listener: Any) -> StreamServer:
        handle = partial(self.handle, listener)
        if not self.cfg.is_ssl:
            pool = Pool(self.worker_connections)
            self._kept.watch(pool)
            return StreamServer(listener, handle=handle, spawn=pool)
        # Over TLS a stream keeps its handler, so there must be room for all of them.
        streams = self.runtime.gateway.config.max_connections or 0
        pool = Pool(self.worker_connections + streams)
        self._kept.watch(pool)
        return TlsServer(listener, ssl_context(self.cfg), handle=handle, spawn=pool)

    def _drain(self, servers: list[StreamServer]) -> None:
        """Shut the application down while everything is still served, then stop serving."""
        if self._has_successor():
            # It accepts from the same sockets, and what we accepted we would turn away. Without
            # a successor it is better to answer that we end than not to answer.
            for server in servers:
                server.close()
        # A client that waits between two requests sends the next one over another connection,
        # and gets it answered: by the successor, or by us, with Connection: close.
        self._kept.close()
        shutdown = gevent.spawn(self.runtime.shutdown)
        pause = self.notifier.interval(_NOTIFY_SECONDS / 2)
        while not shutdown.ready():
            self.notify()
            shutdown.join(pause)
        for server in servers:
            server.close()
        # gunicorn's own wait would count connections that are kept alive and idle.
        deadline = time.monotonic() + _LAST_REQUESTS_SECONDS
        while self._busy and time.monotonic() < deadline:
            gevent.sleep(0.01)
        for server in servers:
            server.stop(timeout=0)
        self.runtime.gateway.stop()

    def _has_successor(self) -> bool:
        return self.generations.has_successor(self.age)

    def notify(self) -> None:
        """Tell the arbiter, and systemd, that this worker lives; exit if the arbiter is gone."""
        self.tmp.notify()
        report_left_out()
        if not self._has_successor():  # beside it, one that ends must not speak for that one
            self.notifier.alive()
        if self.alive and self.ppid != os.getppid():
            self.log.info("Parent changed, shutting down: %s", self)
            self._exit()

    def handle_exit(self, sig: int, frame: object) -> None:
        """SIGTERM: drain. Once more: hurry."""
        self._exit(hurry=not self.alive)

    def handle_quit(self, sig: int, frame: object) -> None:
        """SIGINT, SIGQUIT: drain without waiting for running tasks."""
        self._exit(hurry=True)

    def _exit(self, *, hurry: bool = False) -> None:
        self.alive = False
        if self._wake is None:  # told before it served anything
            raise SystemExit(0)
        # Signal handlers run wherever the interpreter happens to be: leave that place first.
        gevent.spawn(self._exit_now, hurry)

    def _exit_now(self, hurry: bool) -> None:
        assert self._wake is not None  # noqa: S101 - seen by the caller
        self._wake.set()
        if hurry:
            self.runtime.hurry()

    def finish(self) -> None:
        """Drain and wait for it: for gunicorn's reloader, which ends the process right after."""
        self._exit()
        self._gone.wait()
