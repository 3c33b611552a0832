"""The gunicorn worker class that hands streams to the gateway.

gunicorn parses requests and serves everything that is no stream; a stream leaves its hands as
soon as its request is read: the handler's greenlet, the parser and the environ go away, and the
gateway keeps the socket.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, ClassVar

import gevent
from gevent.event import Event as Signal
from gunicorn.errors import AppImportError
from gunicorn.workers.ggevent import GeventWorker

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_loop.child_watcher import use_child_watchers
from gateway_shim.event_loop.patching import support_native_threads
from gateway_shim.event_loop.tcp import detect_dead_peers
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.log_lines.line_limit import report_left_out
from gateway_shim.protocol import routes
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.routes import Route
from gateway_shim.server.process.freed_memory import FreedMemory
from gateway_shim.server.process.generations import Generations
from gateway_shim.server.refused_options import refused_options
from gateway_shim.server.requests.bad_request import bad_request, log_bad_request
from gateway_shim.server.requests.body import Bodies, drop_body
from gateway_shim.server.requests.connections import MadeRoom, RequestConnections
from gateway_shim.server.requests.keep_alive import HeadTimeout, KeptConnections
from gateway_shim.server.requests.request import (
    address_of,
    client_of,
    method_of,
    prepare_requests,
    stream_request_of,
)
from gateway_shim.server.requests.request_server import RequestServer
from gateway_shim.server.requests.unwanted_body import may_follow
from gateway_shim.server.responses.answers import Answers
from gateway_shim.server.responses.kept_response import use_own_http
from gateway_shim.server.responses.last_answer import send_last
from gateway_shim.server.responses.own_answers import OwnAnswers
from gateway_shim.server.runtime import Runtime, runtime_of
from gateway_shim.server.servers import make_servers
from gateway_shim.server.systemd import Notifier
from gateway_shim.streams.refusal_counts import RefusalReason

__all__ = ["StreamWorker"]

_NOTIFY_SECONDS = 1.0


class StreamWorker(GeventWorker):
    """A gevent worker whose application has a :class:`~gateway_shim.server.runtime.Runtime`."""

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
        from gateway_shim.event_loop.serving_process import prepare_serving_process

        prepare_serving_process()

    def init_process(self) -> None:
        """Prepare this process and serve until told to exit."""
        use_own_http()
        self._wake: Signal | None = None
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application and find its runtime.

        Raises:
            AppImportError: a setting cannot work. gunicorn prints it as one line and ends.
        """
        try:
            super().load_wsgi()
            self.runtime = runtime_of(self.wsgi)
            gateway, limits = self.runtime.gateway, self.runtime.limits
            prepare_requests(self.cfg, gateway)
            self._answers = Answers(limits, gateway.refusals, gateway.limit_key)
            self._own_answers = OwnAnswers(gateway, self.cfg.keepalive)
        except InvalidConfiguration as exc:
            raise AppImportError(f"sse-monolith: {exc}") from exc

    # ------------------------------------------------------------------ requests

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection (called in a greenlet of its own)."""
        if self._connections.is_crowded:
            self._answers.make_room()
        super().handle(listener, client, addr)

    def timeout_ctx(self) -> Any:
        """Limit the time for a request's head; the time between two requests does not count."""
        self._connections.wait()
        return HeadTimeout(self.runtime.gateway.refusals)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve one request; raising StopIteration ends gunicorn's part of the connection."""
        self._connections.work()
        if req.req_number > 1 and self._connections.is_crowded:
            req.force_close()  # the answer says so: the next client needs the place
        try:
            return self._serve(listener_name, req, sock, addr)
        except StopIteration:
            if req.must_close and sock.fileno() >= 0:  # not one that a stream has taken
                self._kept.end(sock)
            raise

    def _serve(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        route = self.runtime.route(req.method, req.uri)
        if route is Route.STREAM:
            return self._open_stream(listener_name, req, sock, addr)
        client = client_of(req, addr)
        guarded = self._answers.guard(sock, client)
        if route is Route.STREAM_HEAD:
            request = stream_request_of(req, addr, listener_name)
            guarded.sendall(self._own_answers.head(request, close=self._ends_with(req)))
            return self._keep_alive(req, sock)
        if routes.route(req.method, req.uri) not in (Route.HEALTH, Route.READY):
            let_others_run_if_due()  # a storm of requests must not hold up streams and probes
        limit = self.runtime.body_limit(req.method, req.uri)
        with self._bodies.of(req, guarded, limit, client) as refusal:
            if refusal is not None:
                self._send_last(sock, refusal, req.method, req.headers)
                raise StopIteration
            if client != address_of(addr):
                addr = client  # the application's REMOTE_ADDR; the client's port is not known
            # gunicorn would let any client say where the application is mounted.
            req.headers = [pair for pair in req.headers if pair[0] != "SCRIPT_NAME"]
            super().handle_request(listener_name, req, guarded, addr)
        return self._keep_alive(req, sock)

    def _open_stream(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        request = stream_request_of(req, addr, listener_name)
        place = self._connections.leave()  # it is counted as a stream now
        refusal = self.runtime.gateway.open(request, sock)
        if not isinstance(refusal, Refusal):
            raise StopIteration
        if place is not None:
            self._connections.resume(place)
        close = self._ends_with(req)
        answer = self._own_answers.refusal(refusal, req.headers, close=close)
        self._answers.guard(sock, request.address).sendall(answer)
        return self._keep_alive(req, sock)

    def _ends_with(self, req: Any) -> bool:
        """Return whether the connection ends with a request whose body nobody reads first."""
        if not may_follow(req):
            req.force_close()  # what the client still sends is read away: it is to see the answer
        return req.should_close() or not self.alive

    def _keep_alive(self, req: Any, sock: Any) -> bool:
        """Wait for the connection's next request, or end the connection."""
        ends = req.should_close() or not self.alive
        if not ends:
            with self._connections.receive():  # a body that nobody has asked for
                ends = not drop_body(req, sock)
        if ends or not self._kept.wait(req.unreader, sock):
            raise StopIteration
        return True

    def _send_last(self, sock: Any, refusal: Refusal, method: Any, headers: Any = ()) -> None:
        """Refuse a request and close its connection, which makes room for others meanwhile."""
        answer = self._own_answers.refusal(refusal, headers, close=True, method=method)
        with suppress(MadeRoom), self._connections.receive():
            send_last(sock, answer)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read, as JSON; never raises."""
        self._connections.work()
        refusal = bad_request(exc)
        if refusal is None:
            if not isinstance(exc, gevent.GreenletExit):  # told to end: that is no failure
                super().handle_error(req, client, addr, exc)
            return
        log_bad_request(self.log, address_of(addr), refusal, exc)
        self.runtime.gateway.refusals.add(RefusalReason.BAD_REQUEST)
        self._send_last(client, refusal, method_of(exc))

    # ------------------------------------------------------------------ life and death

    def run(self) -> None:
        """Serve, and drain once told to exit. Returns when nothing is left to do."""
        self._wake = Signal()
        self._gone = Signal()
        self._freed_memory = FreedMemory()
        gateway = self.runtime.gateway
        self._connections = RequestConnections.of(gateway)
        self._kept = KeptConnections(self.cfg.keepalive, self._connections)
        self._bodies = Bodies(
            self.runtime.limits, gateway.refusals, gateway.limit_key, self._connections
        )
        servers = make_servers(self.sockets, self.handle, self._connections, self.cfg, self.runtime)
        self.runtime.start()
        for listener, server in zip(self.sockets, servers, strict=True):
            detect_dead_peers(listener, gateway.config.client_timeout)
            server.start()
        self.generations.note_served(self.age)
        self.notifier.ready()
        pause = self.notifier.interval(_NOTIFY_SECONDS)
        while self.alive:
            self.notify()
            self._wake.wait(pause)
        self._drain(servers)
        self._gone.set()

    def _drain(self, servers: list[RequestServer]) -> None:
        """Shut the application down while everything is still served, then stop serving."""
        if self.generations.has_successor(self.age):
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
        self._kept.finish()
        for server in servers:
            server.stop(timeout=0)
        self.runtime.gateway.stop()

    def notify(self) -> None:
        """Tell the arbiter, and systemd, that this worker lives; exit if the arbiter is gone."""
        self.tmp.notify()
        report_left_out()
        self._freed_memory.give_back_if_due()
        if not self.generations.has_successor(self.age):  # which speaks for itself
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
            os._exit(0)  # as SIGTERM would end it by default: nothing is lost
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
