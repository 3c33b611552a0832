"""Floods of connections, and connections that never pause."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import trustme

from app.bench.measured.process_figures import resident_bytes
from gateway_shim.parity.ports import free_port
from tests.faults.attacks.attack import Attack
from tests.faults.canary.canary import MAX_RATIO, disturbance
from tests.faults.undisturbed import MEGABYTE, undisturbed
from tests.support.backend_client import metric
from tests.support.http.client import Connection, request
from tests.support.processes.server import GunicornServer, ServeServer


@pytest.fixture(scope="module")
def server() -> Iterator[GunicornServer]:
    """Start a backend for the tests whose figures do not depend on what it did before."""
    with GunicornServer(env={"FLASK_ENV": "testing"}) as running:
        yield running


@contextmanager
def silent(port: int, count: int, sent: bytes = b"") -> Iterator[None]:
    """Open connections that send these bytes and nothing more."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(Connection(port))
            with contextlib.suppress(OSError):  # the server closed it in favor of another
                connection.send(sent)
        yield


@pytest.mark.parametrize(
    ("path", "connections"),
    [("/metrics", 1), ("/healthz", 1), ("/metrics", 50), ("/api/sse/stream", 50)],
)
def test_pipelining(server: GunicornServer, path: str, connections: int) -> None:
    """Clients that send requests without waiting for responses do not delay other clients."""
    seen = disturbance(
        server.port,
        lambda: Attack("pipelining", server.port, path=path, connections=connections, rate=500_000),
    )
    print(f"{connections} pipeline {path}: {seen}")
    assert seen.failed == 0
    assert seen.ratio < MAX_RATIO, str(seen)


def test_pipelining_beside_streams(server: GunicornServer) -> None:
    """A stream gets every event beside clients that pipeline requests."""
    with (
        undisturbed(server, steps=200, seconds=2),
        Attack("pipelining", server.port, path="/metrics", connections=20, rate=500_000),
    ):
        pass


def test_half_open_heads() -> None:
    """Three thousand half-open requests do not delay others, although 2,000 fill all handlers."""
    with GunicornServer(env={"FLASK_ENV": "testing"}) as server:
        pid = server.worker_pid()
        request(server.port, "GET", "/metrics")
        size = resident_bytes(pid)
        seen = disturbance(
            server.port, lambda: Attack("half_open_heads", server.port, connections=3000)
        )
        print(f"3,000 half-open heads: {seen}")
        assert seen.failed == 0
        assert seen.ratio < MAX_RATIO, str(seen)
        assert metric(server, 'requests_refused_total{reason="connections"}') > 0
        assert resident_bytes(pid) - size < 32 * MEGABYTE
        assert len(server.log) < 100_000


def test_unfinished_bodies(server: GunicornServer) -> None:
    """Unfinished bodies that exceed the number of handlers displace only each other."""
    options: dict[str, Any] = {
        "path": "/api/tasks",
        "length": 100_000,
        "connections": 2200,
        "rate": 400,
    }
    seen = disturbance(server.port, lambda: Attack("unfinished_bodies", server.port, **options))
    print(f"2,200 unfinished bodies: {seen}")
    assert seen.failed == 0
    assert seen.ratio < MAX_RATIO, str(seen)


def test_half_open_heads_at_the_public_address_only() -> None:
    """ADMIN_BIND has handlers of its own, so a flood of the public port does not affect it."""
    admin = free_port()
    with ServeServer(env={"ADMIN_BIND": f"127.0.0.1:{admin}"}) as server:
        seen = disturbance(admin, lambda: silent(server.port, 3000, b"GET / HTTP/1.1\r\n"))
        print(f"3,000 half-open heads, seen from ADMIN_BIND: {seen}")
        assert seen.failed == 0
        assert seen.ratio < MAX_RATIO, str(seen)


class TlsServe(ServeServer):
    """The backend with TLS, which is ready when a handshake succeeds."""

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            return super()._answers()  # raises an error with the exit status
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with contextlib.suppress(OSError), Connection(self.port) as connection:
            context.wrap_socket(connection.socket).close()
            return True
        return False


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServe]:
    """Start a backend with TLS."""
    folder = tmp_path_factory.mktemp("certificate")
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    env = {"CERTFILE": str(folder / "cert.pem"), "KEYFILE": str(folder / "key.pem")}
    with TlsServe(env=env) as running:
        yield running


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["nothing", "a part"])
def test_no_handshake(tls_server: TlsServe, sent: bytes) -> None:
    """Clients that never finish the TLS handshake do not delay other clients."""
    seen = disturbance(tls_server.port, lambda: silent(tls_server.port, 3000, sent), tls=True)
    print(f"3,000 that do not finish the handshake: {seen}")
    assert seen.failed == 0
    assert seen.ratio < MAX_RATIO, str(seen)
