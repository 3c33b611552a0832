"""TCP options of listening sockets, and the state of connections."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest

from gateway_shim.event_loop.tcp import detect_dead_peers, has_timed_out, peer_has_left
from tests.gateway_shim.sockets import SocketClient, tcp_pair
from tests.support.timing import wait_until

TCP = socket.IPPROTO_TCP


def options(sock: socket.socket) -> tuple[int, int, int, int, int]:
    """Return SO_KEEPALIVE, idle time, interval and count of probes, and user timeout in ms."""
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
    """The options of a listener hold for every connection that it accepts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        detect_dead_peers(listener, seconds)
        with socket.create_connection(listener.getsockname()):
            server, _ = listener.accept()
            with server:
                assert options(server) == expected
    idle, interval, count = expected[1:4]
    assert idle + interval * count <= max(seconds, 4)


def test_not_tcp() -> None:
    """The options of a Unix socket stay as they are."""
    with socket.socket(socket.AF_UNIX) as listener:
        detect_dead_peers(listener, 30)
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


@pytest.mark.parametrize("leave", [SocketClient.close, SocketClient.reset])
def test_peer_has_left(leave: Callable[[SocketClient], None]) -> None:
    """The end of a peer is seen behind unread bytes, in whichever way the peer leaves."""
    client, server = tcp_pair()
    with server:
        peer = SocketClient(client)
        peer.send(b"unread")
        assert not peer_has_left(server)
        leave(peer)
        wait_until(lambda: peer_has_left(server), "the kernel to say so")


def test_peer_of_another_socket() -> None:
    """The kernel does not report the end of a Unix socket's peer."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(OSError, match="not supported"):
        peer_has_left(ours)


def test_has_timed_out() -> None:
    """A timed-out connection is recognized, also as the cause of another error.

    With unanswered data and a pulled cable, Linux reports an unreachable host.
    """
    timed_out = TimeoutError(errno.ETIMEDOUT, "Connection timed out")
    wrapped = ValueError("x")
    wrapped.__cause__ = timed_out
    assert has_timed_out(timed_out)
    assert has_timed_out(wrapped)
    assert has_timed_out(OSError(errno.EHOSTUNREACH, "No route to host"))
    assert not has_timed_out(ConnectionResetError(errno.ECONNRESET, "reset"))
    assert not has_timed_out(None)
