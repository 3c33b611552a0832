"""The listening sockets, and processes that hold copies of them without using them.

A program that a task starts does not get them: they are closed when it is executed. A copy of the
process that executes nothing has all of them. ``os.fork`` is refused for that reason
(:mod:`gateway_shim.event_loop.forbidden_calls`), but not all code that forks can be.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable
from typing import Any

__all__ = ["close_in_copies", "duplicates", "stop_listening"]


def close_in_copies(listeners: Iterable[Any]) -> None:
    """Close the sockets in every copy of this process that Python makes from now on.

    Args:
        listeners: gunicorn's; they stay open in this process.
    """
    descriptors = [listener.fileno() for listener in listeners]

    def close() -> None:
        # Not closed: the copy's socket objects would later close whatever has their number then.
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in descriptors:
            os.dup2(nothing, descriptor, inheritable=False)

    os.register_at_fork(after_in_child=close)


def duplicates(listeners: Iterable[Any]) -> list[socket.socket]:
    """Return a socket of its own for each of gunicorn's listeners."""
    return [listener.sock.dup() for listener in listeners]


def stop_listening(sockets: Iterable[socket.socket]) -> None:
    """Close sockets so that their ports are free, although other processes hold copies of them.

    Call it when no worker is left.
    """
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
