"""Letting others run."""

from __future__ import annotations

import socket

import gevent

from gateway_shim.turns import let_others_run


def test_a_socket_is_looked_at_in_every_turn() -> None:
    """A greenlet that waits for a byte has it after a turn or two, not after fifty."""
    reader, writer = socket.socketpair()
    with reader, writer:
        got = gevent.spawn(reader.recv, 1)
        gevent.sleep(0.01)
        writer.send(b"x")
        for _ in range(3):
            let_others_run()
        assert got.ready()
        assert got.value == b"x"


def test_others_have_their_turn() -> None:
    """Whoever is ready runs before it returns."""
    order: list[str] = []
    other = gevent.spawn(order.append, "other")
    let_others_run()
    order.append("me")
    assert order == ["other", "me"]
    assert other.ready()
