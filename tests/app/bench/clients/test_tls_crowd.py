"""Clients over TLS, against a server that sends what the test says."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from gevent.server import StreamServer

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
from tests.support.timing import TIME_LIMIT

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Script:
    """What the server does with each connection."""

    def __init__(self) -> None:
        self.first = HEAD + b"data: v\n\n"
        self.rest: list[bytes] = []
        self.ends = False
        self.go = threading.Event()

    def __call__(self, sock: ssl.SSLSocket, address: object) -> None:
        """Answer, and send the rest once told to."""
        sock.recv(65536)
        sock.sendall(self.first)
        self.go.wait(TIME_LIMIT)
        for piece in self.rest:
            sock.sendall(piece)
        if not self.ends:
            sock.recv(1)


@pytest.fixture
def script() -> Script:
    """The server's script."""
    return Script()


@pytest.fixture
def certfile(tmp_path: Path) -> Path:
    """A certificate with its key, in one file, of an authority that nobody knows."""
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "all.pem")
    return tmp_path / "all.pem"


@pytest.fixture
def port(script: Script, certfile: Path) -> Iterator[int]:
    """Where the server listens."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile)
    server = StreamServer(("127.0.0.1", 0), script, ssl_context=context)
    server.start()
    yield server.server_port
    script.go.set()
    server.stop(timeout=0)


@pytest.fixture
def crowd() -> Iterator[Helper]:
    """Clients in a process of their own."""
    with Helper("app.bench.clients.tls_crowd") as crowd:
        yield crowd


def connect(crowd: Helper, port: int, count: int) -> None:
    """Open streams."""
    crowd.call("open", port=port, count=count, seconds=TIME_LIMIT)


def test_counts_events(crowd: Helper, port: int, script: Script) -> None:
    """Every event of every stream is counted once, also one that is cut in two."""
    connect(crowd, port, 3)
    script.rest = [b"data: 1\n\ndata: 2\n", b"\ndata: 3\n\n"]
    script.go.set()
    seen = crowd.call("read", frames=9, seconds=TIME_LIMIT)
    assert seen["last_ns"] > seen["first_ns"]


def test_refused(crowd: Helper, port: int, script: Script) -> None:
    """A stream that is refused is said to be."""
    script.first = b"HTTP/1.1 503 No\r\n\r\n"
    with pytest.raises(BenchFailed, match=r"a stream was refused: b'HTTP/1\.1 503 No"):
        connect(crowd, port, 1)


def test_too_few(crowd: Helper, port: int) -> None:
    """Events that do not come are missed."""
    connect(crowd, port, 1)
    with pytest.raises(BenchFailed, match=r"0 of 1 events had arrived after 0\.05 s"):
        crowd.call("read", frames=1, seconds=0.05)


def test_ended(crowd: Helper, port: int, script: Script) -> None:
    """A server that ends a stream is found out."""
    connect(crowd, port, 1)
    script.ends = True
    script.go.set()
    with pytest.raises(BenchFailed, match="the server ended a stream"):
        crowd.call("read", frames=1, seconds=TIME_LIMIT)
