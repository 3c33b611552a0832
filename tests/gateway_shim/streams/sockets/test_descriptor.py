"""The descriptor of a stream, without what is written to it."""

from __future__ import annotations

import pytest

from gateway_shim.streams.sockets.descriptor import Descriptor
from tests.gateway_shim.sockets import tcp_pair
from tests.gateway_shim.watched_connection import WatchedConnection


def test_watching_twice(taken: WatchedConnection) -> None:
    """There is one watcher for a client that takes no bytes, however often it is asked for."""
    taken.connection.watch()
    watcher = taken.connection._writer
    taken.connection.watch()
    assert taken.connection._writer is watcher
    taken.connection._stop_writer()
    taken.connection._stop_writer()
    assert not watcher.active
    assert taken.connection._writer is None


def test_what_a_connection_must_do() -> None:
    """The events of the descriptor are handled by the connection."""
    client, server = tcp_pair()
    descriptor = Descriptor(server, lambda: None)
    with pytest.raises(NotImplementedError):
        descriptor._left(timed_out=False)
    with pytest.raises(NotImplementedError):
        descriptor._on_writable()
    descriptor._stop_watchers()
    descriptor._sock.detach()
    client.close()
    server.close()


def test_the_kernel_gives_a_client_up(
    taken: WatchedConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has timed out has not hung up, and its owner is told so."""

    class TimedOut:
        def recv(self, size: int) -> bytes:
            raise TimeoutError(110, "Connection timed out")

        def close(self) -> None:
            pass

    monkeypatch.setattr(taken.connection, "_sock", TimedOut())
    taken.connection._on_readable()
    assert taken.owner.told == ["stalled"]
