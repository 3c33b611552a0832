"""A backend that does as it is told: answers a gateway's callbacks by script and keeps them."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateway_shim.parity.probe import PATIENCE

__all__ = ["AT_ONCE", "CALLBACK_PATH", "Callback", "Fate", "Reply", "Session", "StubBackend"]

CALLBACK_PATH = "/api/sse/callback?secret=s3cret"
"""The path of the recordings' CALLBACK_URL."""


class Fate(StrEnum):
    """What becomes of a callback."""

    ANSWER = "answer"
    HOLD = "hold"  # answered when the scenario releases it
    RESET = "reset"
    HANG = "hang"  # not answered as long as the session lasts


@dataclass(frozen=True, slots=True)
class Reply:
    """How the backend answers one connect callback.

    Args:
        status: the HTTP status.
        reason: the reason phrase; empty for the standard one.
        body: the body, which no gateway may look at.
        sends: bodies of sends made before it answers, ``$T`` being the stream's token.
        delay: seconds to wait before the answer.
        interim: statuses of interim answers (1xx) that come before it.
        fate: whether it answers at all.
    """

    status: int = 200
    reason: str = ""
    body: str = "{}"
    sends: tuple[Any, ...] = ()
    delay: float = 0.0
    interim: tuple[int, ...] = ()
    fate: Fate = Fate.ANSWER


AT_ONCE = Reply()
"""200, at once."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback as it arrived."""

    method: str
    path: str
    content_type: str | None
    json: Any

    @property
    def action(self) -> str | None:
        """What it says has happened."""
        return self.json.get("action") if isinstance(self.json, dict) else None

    @property
    def token(self) -> str | None:
        """The token it speaks of."""
        token = self.json.get("token") if isinstance(self.json, dict) else None
        return token if isinstance(token, str) else None


@dataclass
class Session:
    """The callbacks of one scenario.

    Args:
        send: POSTs a send to the gateway, for sends during a callback; returns its answer.
        older: tokens of earlier sessions, whose late callbacks do not belong here.
    """

    send: Callable[[Any], Any]
    older: frozenset[str] = frozenset()
    callbacks: list[Callback] = field(default_factory=list)
    during: list[Any] = field(default_factory=list)
    on_disconnect: Reply = AT_ONCE

    def __post_init__(self) -> None:
        """Make the locks."""
        self._changed = threading.Condition()
        self._reply = AT_ONCE
        self._released = threading.Event()
        self._over = threading.Event()

    def expect(self, reply: Reply) -> None:
        """Answer the next connect callback so; without a word, it is 200 at once."""
        with self._changed:
            self._reply = reply

    def release(self) -> None:
        """Let the callbacks go that are held."""
        self._released.set()

    def end(self) -> None:
        """Let every callback go: nothing may wait for this session any more."""
        self._over.set()
        self._released.set()

    def wait_for(self, enough: Callable[[list[Callback]], bool], seconds: float = PATIENCE) -> bool:
        """Wait until the callbacks so far are enough; False if time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(self.callbacks), seconds)

    def tokens(self) -> list[str]:
        """The tokens of the connect callbacks, in order."""
        with self._changed:
            return [c.token for c in self.callbacks if c.action == "connect" and c.token]

    def take(self, callback: Callback) -> Reply:
        """Record a callback, do what the script says, and return the answer to give."""
        connect = callback.action == "connect"
        with self._changed:
            if not connect and callback.token in self.older:
                return AT_ONCE
            reply = self.on_disconnect
            if connect:
                reply, self._reply = self._reply, AT_ONCE
            self.callbacks.append(callback)
            self._changed.notify_all()
        for body in reply.sends:
            self.during.append(self.send(_with_token(body, callback.token)))
        if reply.delay:
            self._over.wait(reply.delay)
        if reply.fate is Fate.HOLD:
            self._released.wait(PATIENCE)
        elif reply.fate is Fate.HANG:
            self._over.wait(PATIENCE)
        return reply


class StubBackend:
    """The HTTP server; one session at a time.

    Args:
        port: where to listen on the loopback; 0 picks a free one.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        backend = self

        class Handler(_Handler):
            def session(self) -> Session:
                return backend.session

        self.session = Session(send=lambda _body: None)
        self._seen: set[str] = set()
        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="stub backend", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What the gateway's CALLBACK_URL must be."""
        return f"http://127.0.0.1:{self.port}{CALLBACK_PATH}"

    def begin(self, send: Callable[[Any], Any]) -> Session:
        """Start a session; callbacks of the one before are no longer of interest."""
        self.session.end()
        self._seen.update(self.session.tokens())
        self.session = Session(send=send, older=frozenset(self._seen))
        return self.session

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        self.session.end()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_all()
        self._thread.join(PATIENCE)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if any(request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)):
            self.close_request(request)  # a shutdown first would make an orderly end of the reset
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway that goes away during a callback is no news here."""

    def drop_all(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone already
        deadline = time.monotonic() + 1.0
        while self._open and time.monotonic() < deadline:  # the handlers' threads close them
            time.sleep(0.002)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def session(self) -> Session:
        raise NotImplementedError

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body: Any = json.loads(raw)
        except ValueError:
            body = raw.decode("utf-8", "backslashreplace")
        reply = self.session().take(
            Callback(self.command, self.path, self.headers.get("Content-Type"), body)
        )
        if reply.fate in (Fate.RESET, Fate.HANG):
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        for status in reply.interim:
            self.send_response_only(status)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
        self.send_response(reply.status, reply.reason or None)
        content = b"" if reply.status in (204, 304) else reply.body.encode()
        if reply.status not in (204, 304):
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()  # recorded with its method, which makes it a difference

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_args: Any) -> None:
        """The report says what matters."""


def _with_token(body: Any, token: str | None) -> Any:
    if isinstance(body, Mapping) and body.get("token") == "$T":
        return {**body, "token": token}
    return body
