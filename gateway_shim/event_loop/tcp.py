"""TCP options of listening sockets, and the state of connections."""

from __future__ import annotations

import socket
from typing import Protocol

__all__ = ["detect_dead_peers", "limit_unsent", "peer_has_left"]

_ESTABLISHED = 1  # of Linux' tcp_states.h


class SupportsGetsockopt(Protocol):
    """An object that can be asked for the value of a socket option."""

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """Return the kernel's value of a socket option."""
        ...


def detect_dead_peers(listener: socket.socket, seconds: float) -> None:
    """Make the kernel give up on clients that have stopped answering, for example unplugged ones.

    The options are set on the listening socket. Linux copies them to each accepted connection, so
    they cost no call per stream. The kernel probes an idle connection, and it cuts a connection
    with unacknowledged data (RFC 5482, TCP User Timeout), both within ``seconds``.

    Args:
        listener: a listening socket; a socket that is not TCP stays as it is.
        seconds: the time that a client may be silent at the TCP level.
    """
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return
    probe = max(int(seconds / 4), 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(int(seconds) - 3 * probe, 1))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probe)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


def limit_unsent(sock: socket.socket, size: int) -> None:
    """Limit the unsent bytes that the kernel keeps for a connection.

    Otherwise a client that does not read holds up to 4 MB of the kernel's memory, which none of our
    budgets counts. Bytes that are on their way are not limited, so a fast client stays as fast.

    Args:
        sock: a connection; a socket that is not TCP stays as it is.
        size: the limit in bytes.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, size)


def peer_has_left(sock: SupportsGetsockopt) -> bool:
    """Return whether the other side has hung up, even if unread bytes hide the end.

    Args:
        sock: a connected TCP socket.

    Raises:
        OSError: the kernel cannot say, because the socket is not TCP.
    """
    # The state is the first byte of Linux' struct tcp_info.
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
