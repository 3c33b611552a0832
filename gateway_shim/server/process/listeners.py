"""The listening sockets, and processes that hold copies of them without using them.

A program that a task starts has no copy: the sockets are closed when the program is executed. A
copy of the process that executes no program has all of them. For that reason ``os.fork`` is
refused (:mod:`gateway_shim.event_loop.forbidden_calls`), but not all code that forks can be
refused.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from typing import Any

__all__ = ["close_in_copies", "duplicate_sockets", "stop_listening"]


def close_in_copies(listeners: Iterable[Any]) -> None:
    """Close the sockets in every copy of this process that Python makes from now on.

    Args:
        listeners: gunicorn's; they stay open in this process.
    """
    descriptors = [listener.fileno() for listener in listeners]

    def close() -> None:
        # Each descriptor is replaced, not closed. A closed number could be reused, and the copy's
        # socket objects would later close whatever has that number then.
        devnull = os.open(os.devnull, os.O_RDWR)
        for descriptor in descriptors:
            os.dup2(devnull, descriptor, inheritable=False)

    os.register_at_fork(after_in_child=close)


def duplicate_sockets(listeners: Iterable[Any]) -> list[socket.socket]:
    """Return a duplicate of the socket of each of gunicorn's listeners."""
    return [listener.sock.dup() for listener in listeners]


def stop_listening(sockets: Iterable[socket.socket]) -> None:
    """Free the ports of sockets, even if other processes hold copies of the sockets.

    Call it when no worker is left.
    """
    for sock in sockets:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
