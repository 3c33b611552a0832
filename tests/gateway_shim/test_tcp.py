"""gateway_shim.tcp: what the kernel is told about clients that stopped answering."""

from __future__ import annotations

import socket

import pytest

from gateway_shim.tcp import detect_dead_peers

TCP = socket.IPPROTO_TCP


def options(sock: socket.socket) -> tuple[int, int, int, int, int]:
    """Keep-alive: whether, after how long idle, how often, how many times; user time-out in ms."""
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        sock.getsockopt(TCP, socket.TCP_KEEPIDLE),
        sock.getsockopt(TCP, socket.TCP_KEEPINTVL),
        sock.getsockopt(TCP, socket.TCP_KEEPCNT),
        sock.getsockopt(TCP, socket.TCP_USER_TIMEOUT),
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (30.0, (1, 9, 7, 3, 30_000)),
        (60.0, (1, 15, 15, 3, 60_000)),
        (1.5, (1, 1, 1, 3, 1500)),
    ],
)
def test_accepted_sockets_have_them(seconds: float, expected: tuple[int, ...]) -> None:
    """What is set on the listener holds for every connection that it accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        detect_dead_peers(listener, seconds)
        with socket.create_connection(listener.getsockname()):
            server, _ = listener.accept()
            with server:
                assert options(server) == expected
    idle, interval, count = expected[1:4]
    assert idle + interval * count <= max(seconds, 4)


def test_not_tcp() -> None:
    """A Unix socket is left as it is."""
    with socket.socket(socket.AF_UNIX) as listener:
        detect_dead_peers(listener, 30)
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
