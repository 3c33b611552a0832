"""Keep-alive connections let others run, and keep their place in the order of arrival."""

from __future__ import annotations

import gevent
import pytest
from gunicorn.http.unreader import SocketUnreader

from tests.gateway_shim.server.connections.idle_connection import Idle, kept_for
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import wait_until


def test_others_run_between_two_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that has sent a thousand requests at once does not delay others."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)  # used up by now
    kept = kept_for()
    client, server = tcp_pair()
    unreader = SocketUnreader(server)
    ran = []
    unreader.unread(b"GET")
    gevent.spawn(ran.append, 1)
    assert kept.wait(unreader, server) is True
    assert ran == [1]
    client.close()
    server.close()


def test_a_later_connection_does_not_overtake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that gives up waiting for an answer sends its next request on a new connection."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)  # used up by now
    order: list[str] = []
    idle = Idle(kept_for(), lambda: order.append("kept"))
    client, listener = tcp_pair()
    accepting = gevent.get_hub().loop.io(listener.fileno(), 1)  # as a server accepts
    accepting.start(lambda: (accepting.stop(), gevent.spawn(order.append, "new")))
    idle.client.sendall(b"GET")
    client.sendall(b"GET")
    wait_until(lambda: len(order) == 2, "both handlers")
    assert order == ["kept", "new"]
    accepting.close()
    idle.close()
    client.close()
    listener.close()
