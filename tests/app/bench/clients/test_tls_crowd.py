"""Clients over TLS, against a server that sends prepared bytes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from gevent.server import StreamServer

from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.slow

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Script:
    """The behavior of the server for each connection."""

    def __init__(self) -> None:
        self.first = HEAD + b"data: v\n\n"
        self.rest: list[bytes] = []
        self.ends = False
        self.go = threading.Event()

    def __call__(self, sock: Any, address: object) -> None:
        """Answer, and send the rest when the test allows it."""
        sock.recv(65536)
        sock.sendall(self.first)
        self.go.wait(TIME_LIMIT)
        for piece in self.rest:
            sock.sendall(piece)
        if not self.ends:
            sock.recv(1)


@pytest.fixture
def script() -> Script:
    """Make the server's script."""
    return Script()


@pytest.fixture
def certfile(tmp_path: Path) -> Path:
    """Create a certificate with its key, of an unknown authority, in one file."""
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "all.pem")
    return tmp_path / "all.pem"


@pytest.fixture
def port(script: Script, certfile: Path) -> Iterator[int]:
    """Run the server, and yield its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certfile)
    server = StreamServer(("127.0.0.1", 0), script, ssl_context=context)
    server.start()
    assert server.server_port is not None
    yield server.server_port
    script.go.set()
    server.stop(timeout=0)


@pytest.fixture
def crowd() -> Iterator[Helper]:
    """Start the process of the clients."""
    with Helper("app.bench.clients.tls_crowd") as crowd:
        yield crowd


def connect(crowd: Helper, port: int, count: int) -> None:
    """Open streams."""
    crowd.call("open", port=port, count=count, seconds=TIME_LIMIT)


def test_counts_events(crowd: Helper, port: int, script: Script) -> None:
    """Every event of every stream is counted once, even if it is split."""
    connect(crowd, port, 3)
    script.rest = [b"data: 1\n\ndata: 2\n", b"\ndata: 3\n\n"]
    script.go.set()
    seen = crowd.call("read", frames=9, seconds=TIME_LIMIT)
    assert seen["last_ns"] > seen["first_ns"]


def test_resumes(crowd: Helper, port: int) -> None:
    """A stream that is opened again offers the session that its client had."""
    opened = crowd.call("open", port=port, count=2, seconds=TIME_LIMIT)
    assert opened["resumed"] == 0
    crowd.call("close")
    opened = crowd.call("open", port=port, count=2, seconds=TIME_LIMIT, resume=True)
    assert opened["resumed"] == 2


def test_refused(crowd: Helper, port: int, script: Script) -> None:
    """A refused stream is an error with the answer."""
    script.first = b"HTTP/1.1 503 No\r\n\r\n"
    with pytest.raises(BenchFailed, match=r"a stream was refused: b'HTTP/1\.1 503 No"):
        connect(crowd, port, 1)


def test_too_few(crowd: Helper, port: int) -> None:
    """Events that do not arrive in time are an error."""
    connect(crowd, port, 1)
    with pytest.raises(BenchFailed, match=r"0 of 1 events had arrived after 0\.05 s"):
        crowd.call("read", frames=1, seconds=0.05)


def test_ended(crowd: Helper, port: int, script: Script) -> None:
    """A stream that the server ends is an error."""
    connect(crowd, port, 1)
    script.ends = True
    script.go.set()
    with pytest.raises(BenchFailed, match="the server ended a stream"):
        crowd.call("read", frames=1, seconds=TIME_LIMIT)
