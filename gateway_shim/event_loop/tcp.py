"""What TCP is asked for, and asked: options of listening sockets, states of connections."""

from __future__ import annotations

import socket
from typing import Protocol

__all__ = ["detect_dead_peers", "limit_unsent", "peer_has_left"]

_ESTABLISHED = 1  # of Linux' tcp_states.h


class SupportsGetsockopt(Protocol):
    """The part of a socket that is asked."""

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """Return the kernel's value of an option."""
        ...


def detect_dead_peers(listener: socket.socket, seconds: float) -> None:
    """Make the kernel give up on clients that stopped answering, such as one unplugged.

    Set on the listening socket: Linux hands these options on to what it accepts, so that no
    stream pays for them. An idle connection is probed, and one with unacknowledged data is cut
    (RFC 5482, TCP User Timeout), both within ``seconds``.

    Args:
        listener: a listening socket; one that is not TCP is left as it is.
        seconds: how long a client may be silent at the TCP level.
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
    """Limit the bytes that the kernel keeps of what it has not yet sent.

    A client that does not read would otherwise hold up to 4 MB of the kernel's memory, which no
    budget of ours counts. What is on its way is not limited, so a fast client is as fast as before.

    Args:
        sock: a connection; one that is not TCP is left as it is.
        size: bytes.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, size)


def peer_has_left(sock: SupportsGetsockopt) -> bool:
    """Return whether the other side has hung up, also where unread bytes hide it.

    Args:
        sock: a connected TCP socket.

    Raises:
        OSError: the kernel does not say, since it is not TCP.
    """
    # The state is the first byte of Linux' struct tcp_info.
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
