"""Tests of the number of handlers of each listener's server."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trustme
from gunicorn.config import Config

from gateway_shim.server import servers
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.servers import make_servers
from gateway_shim.server.tls import TlsServer
from gateway_shim.standalone.front import Front
from gateway_shim.streams.callbacks.backend import NoBackend
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.refusal_counts import RefusalCounts


@pytest.fixture
def listeners() -> Iterator[list[socket.socket]]:
    """Open two listening sockets, which are closed at the end."""
    made = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    yield made
    for listener in made:
        listener.close()


def sizes(
    listeners: list[socket.socket], cfg: Config, streams: int | None, callbacks: int = 0
) -> list[tuple[int, int]]:
    """Return for each listener its number of handlers and of connections that are not streams."""
    connections = RequestConnections(10, lambda address: address, RefusalCounts())
    config = GatewayConfig(max_connections=streams, callback_connections=callbacks)
    runtime = Front(Gateway(NoBackend(), config))
    made = make_servers(listeners, lambda *_: None, connections, cfg, runtime)
    assert len(made) == len(listeners)
    return [(line.pool.size or 0, line.size) for line in connections._lines]


@pytest.mark.parametrize(
    ("descriptors", "size", "message"),
    [
        (100_000, 2000, ""),
        (1000, 125, "MAX_REQUEST_CONNECTIONS is 2000, but the descriptor limit allows 125"),
        (2, 1, "allows 1 at each address; using 1. Raise it with ulimit -n"),
    ],
)
def test_sizes(
    listeners: list[socket.socket],
    descriptors: int,
    size: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each listener has its own handlers, within the descriptors that streams leave."""
    monkeypatch.setattr(servers, "raise_limit", lambda: descriptors)
    cfg = Config()
    cfg.set("worker_connections", 2000)
    assert sizes(listeners, cfg, 500) == [(size, size)] * 2
    assert message in caplog.text
    assert bool(caplog.text) is bool(message)


def test_descriptors_of_connections_to_a_backend(
    listeners: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams, requests, connections to a backend and the reserve of 256 use all descriptors."""
    monkeypatch.setattr(servers, "raise_limit", lambda: 500 + 2 * 700 + 100 + 256)
    cfg = Config()
    cfg.set("worker_connections", 2000)
    assert sizes(listeners, cfg, 500, callbacks=100) == [(700, 700)] * 2


def test_tls(
    listeners: list[socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """TLS streams have no handlers, except where Python or gevent is of an unknown version."""
    monkeypatch.setattr(servers, "raise_limit", lambda: 100_000)
    folder = tmp_path_factory.mktemp("tls")
    certificate = trustme.CA().issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert")
    certificate.private_key_pem.write_to_path(folder / "key")
    cfg = Config()
    cfg.set("worker_connections", 100)
    cfg.set("certfile", str(folder / "cert"))
    cfg.set("keyfile", str(folder / "key"))
    assert sizes(listeners, cfg, 500) == [(100, 100)] * 2
    assert not caplog.text
    with monkeypatch.context() as unknown:
        unknown.setattr(servers, "can_release", lambda context: False)
        assert sizes(listeners, cfg, 500) == [(600, 100)] * 2
    assert "keeps a handler for each TLS stream" in caplog.text
    connections = RequestConnections(10, lambda address: address, RefusalCounts())
    runtime = Front(Gateway(NoBackend(), GatewayConfig()))
    (server, _) = make_servers(listeners, lambda *_: None, connections, cfg, runtime)
    assert isinstance(server, TlsServer)
