"""Connections that have sent nothing are watched for a moment."""

from __future__ import annotations

import _socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from gateway_shim.server.connections.late_heads import PATIENCE_SECONDS, LateHeads
from tests.gateway_shim.fakes import FakeClock
from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.server.connections.conftest import Pair
from tests.support.timing import wait_until


class Watched:
    """Late heads, whose time does not pass by itself.

    Attributes:
        served: the addresses of the connections that were served, in order.
    """

    def __init__(self, pairs: list[Pair]) -> None:
        self.clock = FakeClock()
        self.served: list[Any] = []
        self.late = LateHeads(self._serve, self.clock)
        self._pairs = pairs

    def _serve(self, sock: _socket.socket, address: Any) -> None:
        assert sock is self._pairs[address].server
        self.served.append(address)

    def take(self, *numbers: int) -> list[bool]:
        """Offer the connections with these numbers."""
        return [self.late.take(self._pairs[number].server, number) for number in numbers]

    def wait_until_served(self, *numbers: int) -> None:
        """Wait until these connections, and no others, were served."""
        wait_until(
            lambda: gevent.sleep(0) or self.served == list(numbers), lambda: f"it: {self.served}"
        )


@pytest.fixture
def watched(pairs: list[Pair]) -> Iterator[Watched]:
    """Return late heads without connections."""
    watched = Watched(pairs)
    with HubErrors():
        yield watched
        watched.late.close()
    assert len(watched.late) == 0
    assert watched.late._timer is None


def test_a_request_comes_late(watched: Watched, pairs: list[Pair]) -> None:
    """It is served at once, with all its bytes, and before those that came earlier."""
    assert watched.take(0, 1, 2) == [True] * 3
    pairs[1].client.send(b"GET")
    watched.wait_until_served(1)
    pairs[0].client.send(b"GET")
    watched.wait_until_served(1, 0)
    assert len(watched.late) == 1
    assert [pairs[number].server.recv(10) for number in (0, 1)] == [b"GET"] * 2
    gevent.sleep(0)
    assert watched.served == [1, 0]  # none is served twice, although it was readable until now


def test_a_client_leaves(watched: Watched, pairs: list[Pair]) -> None:
    """That is noticed at once, too."""
    watched.take(0, 1)
    pairs[1].client.close()
    watched.wait_until_served(1)


def test_a_client_that_sends_nothing(watched: Watched) -> None:
    """It is served after some time, and those that came later wait as long."""
    watched.take(0, 1)
    watched.clock.now += PATIENCE_SECONDS / 2
    watched.take(2)
    watched.late._look()
    assert watched.served == []
    watched.clock.now += PATIENCE_SECONDS / 2
    watched.late._look()
    assert watched.served == [0, 1]
    watched.clock.now += PATIENCE_SECONDS / 2
    watched.wait_until_served(0, 1, 2)  # the timer looks
    assert watched.late._timer is None
    assert watched.take(3) == [True]
    watched.clock.now += PATIENCE_SECONDS
    watched.wait_until_served(0, 1, 2, 3)


def test_who_is_not_watched(watched: Watched, pairs: list[Pair]) -> None:
    """A connection with bytes, a client that is gone, and a broken connection."""
    pairs[0].client.send(b"G")
    pairs[1].client.close()
    pairs[2].server.close()
    assert watched.take(0, 1, 2) == [False] * 3
    assert len(watched.late) == 0


def test_the_end(watched: Watched) -> None:
    """All are served that were accepted."""
    watched.take(0, 1)
    watched.late.close()
    assert watched.served == [0, 1]
