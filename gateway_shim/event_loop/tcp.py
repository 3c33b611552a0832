"""TCP options of sockets, and the TCP state of connections."""

from __future__ import annotations

import errno
import socket
from typing import Protocol

__all__ = ["detect_dead_peers", "has_timed_out", "limit_unsent", "peer_has_left"]

_ESTABLISHED = 1  # of Linux' tcp_states.h


class SupportsGetsockopt(Protocol):
    """An object with the method ``getsockopt`` of a socket."""

    def getsockopt(self, level: int, name: int, size: int, /) -> bytes:
        """Return the kernel's value of an option."""
        ...


def detect_dead_peers(listener: socket.socket, seconds: float) -> None:
    """Make the kernel detect clients that have stopped answering, for example unplugged machines.

    The options are set on the listening socket. Linux copies them to accepted connections, so that
    no stream needs system calls for them. An idle connection is probed, and a connection with
    unacknowledged data is cut (RFC 5482, TCP User Timeout), both within ``seconds``.

    Args:
        listener: a listening socket; a socket that is not TCP is not changed.
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

    Without the limit, a client that does not read holds up to 4 MB of kernel memory, which no
    budget of this program counts. Bytes on their way are not limited, so fast clients stay fast.

    Args:
        sock: a connection; a socket that is not TCP is not changed.
        size: the limit, bytes.
    """
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, size)


def peer_has_left(sock: SupportsGetsockopt) -> bool:
    """Return whether the peer has hung up, even if unread bytes come before the end.

    Args:
        sock: a connected TCP socket.

    Raises:
        OSError: the socket is not TCP.
    """
    # The state is the first byte of Linux' struct tcp_info.
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED


_GIVEN_UP = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH})
"""The errors with which the kernel gives a peer up.

Linux reports that the host is unreachable, instead of the time-out, if a router or the address
resolution has said so meanwhile: after a cable was pulled, for example.
"""


def has_timed_out(exc: BaseException | None) -> bool:
    """Return True if the kernel has given a peer up: it no longer reads, or its network is gone.

    Args:
        exc: an error of a socket, or one that was raised from such an error.
    """
    while exc is not None:
        if isinstance(exc, OSError) and exc.errno in _GIVEN_UP:
            return True
        exc = exc.__cause__
    return False
