"""The client address of a request that comes through a proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.http.client import Connection, request_bytes
from tests.support.processes.server import GunicornServer

TARGET = "/api/sse/stream?request_id="
FORWARDED = "X-Forwarded-For"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Provide an exit stack that is closed after the test."""
    with ExitStack() as stack:
        yield stack


class Clients:
    """Clients that open streams, each with a request id of its own.

    Args:
        stack: closes the streams.
        port: the port of the server.
    """

    def __init__(self, stack: ExitStack, port: int) -> None:
        self._stack = stack
        self._port = port
        self._count = 0

    def open_stream(self, forwarded: str | None, *, path: Path | None = None) -> int:
        """Open one more stream, keep it open, and return the status.

        Args:
            forwarded: the value of X-Forwarded-For; None: no such header.
            path: the path of the server's Unix socket; None: use the port.
        """
        self._count += 1
        connection = self._stack.enter_context(Connection(self._port))
        if path is not None:
            connection.socket.close()
            connection.socket = socket.socket(socket.AF_UNIX)
            connection.socket.connect(str(path))
        headers = [] if forwarded is None else [(FORWARDED, forwarded)]
        connection.send(request_bytes("GET", f"{TARGET}{self._count}", headers))
        return connection.read_head().status


def test_streams_per_client(stack: ExitStack, tmp_path: Path) -> None:
    """Behind a proxy on this machine, over TCP or a Unix socket, each client has its own limit."""
    path = tmp_path / "server.sock"
    server = GunicornServer("--bind", f"unix:{path}", env={"SSE_MAX_CONNECTIONS_PER_ADDRESS": "2"})
    clients = Clients(stack, stack.enter_context(server).port)
    assert [clients.open_stream("192.0.2.1") for _ in range(3)] == [200, 200, 503]
    assert clients.open_stream("192.0.2.1", path=path) == 503
    assert clients.open_stream("192.0.2.2, 192.0.2.1") == 503
    assert [clients.open_stream("192.0.2.2", path=path) for _ in range(3)] == [200, 200, 503]
    assert clients.open_stream("192.0.2.2") == 503
    # The proxy sends no address, or an invalid one.
    assert [clients.open_stream(None) for _ in range(3)] == [200] * 3
    assert [clients.open_stream("unknown", path=path) for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        ((), {"TRUSTED_PROXIES": "10.0.0.0/8"}),
        (("--forwarded-allow-ips", "10.0.0.1"), {}),
        ((), {"FORWARDED_ALLOW_IPS": "10.0.0.1"}),
    ],
    ids=["setting", "option", "variable"],
)
def test_only_trusted_proxies_forward_addresses(
    stack: ExitStack, arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    """Only TRUSTED_PROXIES may forward addresses. gunicorn's option overrides the setting."""
    server = GunicornServer(*arguments, env={"SSE_MAX_CONNECTIONS_PER_ADDRESS": "1", **env})
    clients = Clients(stack, stack.enter_context(server).port)
    assert [clients.open_stream("192.0.2.1") for _ in range(2)] == [200, 200]
