"""TCP options of the sockets that streams are accepted from."""

from __future__ import annotations

import socket

__all__ = ["detect_dead_peers"]


def detect_dead_peers(listener: socket.socket, seconds: float) -> None:
    """Have the kernel give up on clients that stopped answering, such as one unplugged.

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
