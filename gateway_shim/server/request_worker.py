"""The part of the worker that serves requests.

gunicorn parses each request. A request for a stream goes to the gateway, which keeps the socket:
the handler's greenlet, the parser and the environ are freed at once. Every other request goes to
the WSGI application.

While nearly all places are taken, the answer to the second or a later request of a connection
closes the connection. So clients that always have a next request do not keep their places.

:mod:`gateway_shim.server.worker` has the start and the end of the worker.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import gevent
from gunicorn.errors import AppImportError
from gunicorn.workers.ggevent import GeventWorker

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_loop.turns import OrderedTurns
from gateway_shim.protocol import routes
from gateway_shim.protocol.http import Refusal
from gateway_shim.protocol.routes import Route
from gateway_shim.server.connections.keep_alive import HeadTimeout, KeptConnections
from gateway_shim.server.connections.refused_socket import refusal_of
from gateway_shim.server.connections.request_connections import MadeRoom, RequestConnections
from gateway_shim.server.connections.request_server import RequestServer
from gateway_shim.server.requests.bad_request import bad_request, log_bad_request
from gateway_shim.server.requests.body import Bodies, drop_body
from gateway_shim.server.requests.request import (
    address_of,
    client_of,
    method_of,
    prepare_requests,
    stream_request_of,
)
from gateway_shim.server.requests.unwanted_body import may_follow
from gateway_shim.server.responses.answers import Answers
from gateway_shim.server.responses.last_answer import send_last
from gateway_shim.server.responses.own_answers import OwnAnswers
from gateway_shim.server.runtime import Runtime, runtime_of
from gateway_shim.server.servers import make_servers
from gateway_shim.streams.refusal_counts import RefusalReason

__all__ = ["RequestWorker"]


class RequestWorker(GeventWorker):
    """A gevent worker that serves the requests of an application with a runtime.

    Attributes:
        runtime: the :class:`~gateway_shim.server.runtime.Runtime` of the application.
    """

    runtime: Runtime
    _answers: Answers
    """Limits what the application's answers may cost."""
    _own_answers: OwnAnswers
    """Makes the answers that do not come from the application."""
    _connections: RequestConnections
    """The connections that are not streams."""
    _kept: KeptConnections
    """The connections that wait for their next request."""
    _bodies: Bodies
    """Limits what the bodies of requests may cost."""
    _turns: OrderedTurns
    """Requests wait here while the event loop is busy."""

    # ------------------------------------------------------------------ start

    def load_wsgi(self) -> None:
        """Load the application and find its runtime.

        Raises:
            AppImportError: a setting cannot work. gunicorn prints this error as one line and ends.
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

    def _make_servers(self) -> list[RequestServer]:
        """Return a server for each listener. They accept connections once they are started."""
        gateway = self.runtime.gateway
        self._connections = RequestConnections.of(gateway)
        self._kept = KeptConnections(self.cfg.keepalive, self._connections)
        self._turns = OrderedTurns()
        self._bodies = Bodies(
            self.runtime.limits, gateway.refusals, gateway.limit_key, self._connections
        )
        return make_servers(self.sockets, self.handle, self._connections, self.cfg, self.runtime)

    # ------------------------------------------------------------------ called by gunicorn

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection, in its own greenlet."""
        if self._connections.is_crowded:
            self._answers.make_room()
        super().handle(listener, client, addr)

    def timeout_ctx(self) -> Any:
        """Return the time limit for a request's head, which excludes the time between requests."""
        self._connections.wait()
        return HeadTimeout(self.runtime.gateway.refusals)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve one request.

        Raises:
            StopIteration: gunicorn's part of the connection ends here.
        """
        self._connections.work()
        if req.req_number > 1 and self._connections.is_crowded:
            req.force_close()  # the answer then has "Connection: close"
        try:
            return self._serve(listener_name, req, sock, addr)
        except StopIteration:
            if req.must_close and sock.fileno() >= 0:  # -1 if a stream has taken the descriptor
                self._kept.end(sock)
            raise

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read, as JSON. Does not raise."""
        self._connections.work()
        refusal = bad_request(exc)
        if refusal is None:
            if not isinstance(exc, gevent.GreenletExit):  # the greenlet was killed
                super().handle_error(req, client, addr, exc)
            return
        log_bad_request(self.log, address_of(addr), refusal, exc)
        self.runtime.gateway.refusals.add(RefusalReason.BAD_REQUEST)
        self._send_last(client, refusal, method_of(exc))

    # ------------------------------------------------------------------ one request

    def _serve(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        route = self.runtime.route(req.method, req.uri)
        if route is Route.STREAM:
            return self._open_stream(listener_name, req, sock, addr)
        client = client_of(req, addr)
        guarded = self._answers.guard(sock, client)
        if route is Route.STREAM_HEAD:
            request = stream_request_of(req, addr, listener_name)
            guarded.sendall(self._own_answers.head(request, close=self._ends_after(req)))
            return self._keep_alive(req, sock)
        if routes.route(req.method, req.uri) not in (Route.HEALTH, Route.READY):
            # Many requests at once must not delay streams and probes. They keep their order: a send
            # that its sender has given up must not be carried out after the stream's next send.
            self._turns.wait_if_due()
        limit = self.runtime.body_limit(req.method, req.uri)
        with self._bodies.of(req, guarded, limit, client) as refusal:
            if refusal is not None:
                self._send_last(sock, refusal, req.method, req.headers)
                raise StopIteration
            if client != address_of(addr):
                addr = client  # the application's REMOTE_ADDR; the client's port is not known
            # Without this gunicorn would let any client say where the application is mounted.
            req.headers = [pair for pair in req.headers if pair[0] != "SCRIPT_NAME"]
            super().handle_request(listener_name, req, guarded, addr)
        return self._keep_alive(req, sock)

    def _open_stream(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        request = stream_request_of(req, addr, listener_name)
        place = self._connections.leave()  # the connection counts as a stream from here on
        refusal = refusal_of(sock) or self.runtime.gateway.open(request, sock)
        if not isinstance(refusal, Refusal):
            raise StopIteration
        if place is not None:
            self._connections.resume(place)
        close = self._ends_after(req)
        answer = self._own_answers.refusal(refusal, req.headers, close=close)
        self._answers.guard(sock, request.address).sendall(answer)
        return self._keep_alive(req, sock)

    def _ends_after(self, req: Any) -> bool:
        """Return whether the connection ends after a request whose body was not read."""
        if not may_follow(req):
            # The rest of the body is read and dropped, so that the client can read the answer.
            req.force_close()
        return req.should_close() or not self.alive

    def _keep_alive(self, req: Any, sock: Any) -> bool:
        """Wait for the connection's next request, or end the connection."""
        ends = req.should_close() or not self.alive
        if not ends:
            with self._connections.receive():  # the rest of a body that was not read
                ends = not drop_body(req, sock)
        if ends or not self._kept.wait(req.unreader, sock):
            raise StopIteration
        return True

    def _send_last(self, sock: Any, refusal: Refusal, method: Any, headers: Any = ()) -> None:
        """Refuse a request and close its connection, which can make room for others meanwhile."""
        answer = self._own_answers.refusal(refusal, headers, close=True, method=method)
        with suppress(MadeRoom), self._connections.receive():
            send_last(sock, answer)
