"""TCP ports for servers that are about to start; each port is given out once."""

from __future__ import annotations

import _socket
import os
import random
import socket
import threading

__all__ = ["free_port"]

# The blocks are below the range from which the system takes ports for outgoing connections. A port
# of that range could be free now and in use when the server starts.
_BLOCKS = range(10_000, 32_000, 100)
_BLOCK_SIZE = 100
_NAMES = "sse-monolith-ports"


class _Ports:
    """The ports of this process, in blocks that no other process has.

    A Unix socket in the abstract namespace holds each block by its name. The kernel gives each name
    once in a network namespace and takes it back when the process ends, in any way. So processes
    that run at the same time never get the same port, and nothing has to be cleaned up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chooser = random.SystemRandom()
        self._process = 0
        self._holders: list[int] = []
        self._left: list[int] = []

    def next(self) -> int:
        """Return a port that this process has not returned before.

        Raises:
            OSError: other processes have all blocks.
        """
        with self._lock:
            if self._process != os.getpid():
                # This is the first call, or the first one in a forked child. The child must not
                # use its parent's blocks.
                self._process, self._left = os.getpid(), []
            if not self._left:
                self._left = self._new_block()
            return self._left.pop()

    def _new_block(self) -> list[int]:
        for first in self._chooser.sample(_BLOCKS, len(_BLOCKS)):
            holder = _socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # not gevent's socket
            try:
                holder.bind(f"\0{_NAMES}-{first}")
            except OSError:  # another process has this block
                holder.close()
                continue
            self._holders.append(holder.detach())  # stays open until the process ends
            return self._chooser.sample(range(first, first + _BLOCK_SIZE), _BLOCK_SIZE)
        raise OSError("no port is left for a server: other processes have taken all of them")


_ports = _Ports()


def free_port() -> int:
    """Return a free TCP port of the loopback.

    Returns:
        The port. While this process lives, no other call returns the same port, in this process or
        in another one.

    Raises:
        OSError: other processes have taken all ports.
    """
    while True:
        port = _ports.next()
        if _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
