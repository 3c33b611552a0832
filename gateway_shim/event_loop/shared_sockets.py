"""Makes gevent's sockets usable by one thread after another.

A gevent socket belongs to the event loop of the thread that created it, and fails in any other
thread. But a connection pool that several threads share, such as that of a ``requests.Session``,
passes a connection from one thread to another. With this module, a socket that another thread uses
moves to that thread's loop, unless its own loop is waiting for it at that moment.
"""

from __future__ import annotations

from typing import Any

from gevent._hub_local import get_hub_if_exists
from gevent._socketcommon import SocketMixin  # type: ignore[import-not-found]  # compiled
from gevent.hub import get_hub
from gevent.socket import wait as wait_for

__all__ = ["share_sockets"]

_READ, _WRITE = 1, 2

_wait = SocketMixin._wait
_drop_events_and_close = SocketMixin._drop_events_and_close
_shutdown = SocketMixin.shutdown


def share_sockets() -> None:
    """Patch gevent's sockets, including those with TLS."""
    SocketMixin._wait = _wait_in_any_thread
    SocketMixin._drop_events_and_close = _close_in_any_thread
    SocketMixin.shutdown = _shut_down_in_any_thread


def _wait_in_any_thread(sock: Any, watcher: Any, timeout_exc: Any = None) -> None:
    if sock.hub is None or watcher is None or _is_of_this_loop(sock):
        _wait(sock, watcher, timeout_exc)
        return
    writes = watcher is sock._write_event
    if _move(sock):
        _wait(sock, sock._write_event if writes else sock._read_event, timeout_exc)
        return
    # The loop that owns the socket is waiting for the other direction.
    borrowed = get_hub().loop.io(sock._sock.fileno(), _WRITE if writes else _READ)
    try:
        if timeout_exc is None:
            wait_for(borrowed, sock.timeout)
        else:
            wait_for(borrowed, sock.timeout, timeout_exc)
    finally:
        borrowed.close()


def _close_in_any_thread(sock: Any, *args: Any, **kwargs: Any) -> None:
    owner = _owner_elsewhere(sock)
    _drop_events_and_close(sock, *args, **kwargs)
    if owner is not None:
        owner.loop.run_callback_threadsafe(_nothing)  # wakes the loop, which then ends its waits


def _shut_down_in_any_thread(sock: Any, how: int) -> None:
    owner = _owner_elsewhere(sock)
    _shutdown(sock, how)
    if owner is not None:
        owner.loop.run_callback_threadsafe(_nothing)


def _owner_elsewhere(sock: Any) -> Any:
    """Return the hub of another thread that is still waiting for a socket, or None."""
    if sock.hub is None or _is_of_this_loop(sock) or _move(sock):
        return None
    return sock.hub


def _is_of_this_loop(sock: Any) -> bool:
    # Compare hubs, not thread identities: the thread may have a new loop, or be a new thread.
    return sock.hub is get_hub_if_exists()


def _move(sock: Any) -> bool:
    """Move a socket to the calling thread; return False if its own loop is waiting for it."""
    read, write = sock._read_event, sock._write_event
    if read is None or write is None:  # closed
        return True
    alive = sock.hub.loop is not None
    if alive and (read.callback is not None or write.callback is not None):
        return False
    hub = get_hub()
    fileno = sock._sock.fileno()
    sock._read_event = hub.loop.io(fileno, _READ)
    sock._write_event = hub.loop.io(fileno, _WRITE)
    sock.hub = hub
    if alive:
        read.close()
        write.close()
    return True


def _nothing() -> None:
    """Do nothing."""
