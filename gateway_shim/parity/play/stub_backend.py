"""The stub backend: an HTTP server that answers callbacks by script and records them."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from gateway_shim.parity.play.probe import PATIENCE
from gateway_shim.parity.play.session import Callback, Session
from gateway_shim.parity.reply import After, Fate, Reply, raw_bytes

__all__ = ["CALLBACK_PATH", "StubBackend"]

CALLBACK_PATH = "/api/sse/callback?secret=s3cret"
"""The path of the recordings' CALLBACK_URL."""

_CONNECTION_NUMBERS = itertools.count(1)


class StubBackend:
    """The HTTP server; it serves one session at a time.

    Args:
        port: the port on the loopback; 0 takes a free one.
        host: the loopback address, ``127.0.0.1`` or ``::1``.
        certificate: a PEM file with key and certificate, for a backend that speaks TLS.

    Raises:
        OSError: the port is in use, or this machine does not have the address.
    """

    def __init__(
        self, port: int = 0, host: str = "127.0.0.1", certificate: Path | None = None
    ) -> None:
        backend = self

        class Handler(_Handler):
            def session(self) -> Session:
                return backend.session

        self.session = Session(send=lambda _body: None)
        self._earlier_tokens: set[str] = set()
        self._server = _Server((host, port), Handler, certificate)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="stub backend", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port on which the server listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The CALLBACK_URL for the gateway."""
        return f"http://127.0.0.1:{self.port}{CALLBACK_PATH}"

    def begin(self, send: Callable[[Any], Any]) -> Session:
        """Start a session; callbacks of the previous session are ignored from now on."""
        self.session.end()
        self._earlier_tokens.update(self.session.tokens())
        self.session = Session(send=send, earlier_tokens=frozenset(self._earlier_tokens))
        return self.session

    def wait_idle(self, seconds: float) -> bool:
        """Wait until no callback is being answered; return False if time is up first.

        An answer is finished when its last byte was written and, if the connection does not stay
        open, the connection was closed. So the gateway's next callback finds every connection in
        its final state: it does not share a connection with the rest of an earlier answer.
        """
        return self._server.wait_for(lambda: not self._server.answering, seconds)

    def wait_closed(self, seconds: float) -> bool:
        """Wait until no connection is about to be closed; return False if time is up first.

        A gateway may keep a connection whose answer it has read whole. Its next callback would be
        lost if the backend closed this connection only then.
        """
        return self._server.wait_for(lambda: not self._server.closing, seconds)

    def stop(self) -> None:
        """Stop listening and close every connection."""
        self.session.end()
        self._server.shutdown()
        self._server.server_close()
        self._server.drop_all()
        self._thread.join(PATIENCE)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        certificate: Path | None,
    ) -> None:
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()  # its lock guards the two sets below
        self.answering: set[socket.socket] = set()  # connections with an unfinished answer
        self.closing: set[socket.socket] = set()  # those of them that are about to be closed
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificate)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The first read makes the handshake, in the connection's own thread.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        try:
            if any(request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)):
                # A shutdown before the close would turn the reset into an orderly end.
                self.close_request(request)
            else:
                super().shutdown_request(request)
        finally:
            self.end_answer(request)

    def begin_answer(self, connection: socket.socket) -> None:
        """Note that a callback on a connection is being answered."""
        with self._changed:
            self.answering.add(connection)

    def begin_close(self, connection: socket.socket) -> None:
        """Note that a connection will be closed after the bytes that are written next."""
        with self._changed:
            self.closing.add(connection)

    def end_answer(self, connection: socket.socket) -> None:
        """Note that the answer on a connection is finished."""
        with self._changed:
            self.answering.discard(connection)
            self.closing.discard(connection)
            self._changed.notify_all()

    def wait_for(self, happens: Callable[[], bool], seconds: float) -> bool:
        """Wait for a change of the connections; return False if time is up first."""
        with self._changed:
            return self._changed.wait_for(happens, seconds)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors of a connection: a gateway may end during a callback."""

    def drop_all(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already
        deadline = time.monotonic() + 1.0
        # The threads of the handlers close the connections.
        while self._open and time.monotonic() < deadline:
            time.sleep(0.002)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that head and body are sent together. Otherwise a gateway that reads the head
    # only would meet the body at a time that depends on this machine's load.
    wbufsize = -1

    def session(self) -> Session:
        raise NotImplementedError

    def setup(self) -> None:
        self._server = cast(_Server, self.server)
        self._number = next(_CONNECTION_NUMBERS)
        super().setup()

    def do_POST(self) -> None:
        self._server.begin_answer(self.connection)
        self._answer()
        self.wfile.flush()
        if not self.close_connection:
            self._server.end_answer(self.connection)

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = raw.decode("utf-8", "backslashreplace")
        try:
            body: Any = json.loads(raw)
        except ValueError:
            body = text
        session = self.session()
        reply = session.take(
            Callback(
                self.command,
                self.requestline.split(" ")[1],  # not `path`, which has `/x` for `//x`
                self.headers.get("Content-Type"),
                body,
                self._number,
                text,
                self.headers.get("Authorization"),
            )
        )
        if reply.fate in (Fate.RESET, Fate.HANG):
            self._reset()
        elif reply.raw is None:
            self._write_ordinary(reply)
        else:
            self._write_raw(session, reply, raw_bytes(reply.raw))

    def _write_ordinary(self, reply: Reply) -> None:
        for status in reply.interim:
            self.send_response_only(status)
            self.send_header("Link", "</style.css>; rel=preload")
            self.end_headers()
            self.wfile.flush()
        self.send_response(reply.status, reply.reason or None)
        content = b"" if reply.status in (204, 304) else reply.body.encode()
        if reply.status not in (204, 304):
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _write_raw(self, session: Session, reply: Reply, raw: bytes) -> None:
        raw = raw.replace(b"$PORT", str(self.connection.getsockname()[1]).encode())
        self.close_connection = reply.after is not After.KEEP
        if reply.after is After.WITHHOLD:
            session.begin_withholding()
        if reply.every:
            for byte in raw:
                self.wfile.write(bytes((byte,)))
                self.wfile.flush()
                if not session.pause(reply.every):
                    return
        else:
            if reply.after in (After.CLOSE, After.RESET):
                self._server.begin_close(self.connection)
            self.wfile.write(raw)
            self.wfile.flush()
        if reply.after is After.RESET:
            self._reset()
        elif reply.after is After.WITHHOLD:
            session.withhold()
            self.wfile.write(reply.tail.encode("latin-1"))

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def do_GET(self) -> None:
        self.do_POST()  # the recorded method shows the difference

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_args: Any) -> None:
        """Write nothing: the report shows everything that matters."""
