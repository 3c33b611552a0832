"""Letting others run."""

from __future__ import annotations

import socket

import gevent
from gevent import monkey

from gateway_shim.turns import let_others_run

block = monkey.get_original("time", "sleep")


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


def test_others_have_their_turn_however_long_the_list_was() -> None:
    """It holds also where gevent, 5 ms into its list of the ready, leaves the rest for later.

    It looks at the time after every fiftieth of the list, so each place around that is tried.
    """
    for others_before in range(40, 60):
        order: list[str] = []
        for _ in range(others_before):
            gevent.sleep(0)
        block(0.006)
        gevent.spawn(order.append, "other")
        let_others_run()
        assert order == ["other"]
