"""The turn of a broadcast."""

from __future__ import annotations

import gevent
import pytest

from gateway_shim.streams.sending.broadcast_turn import BroadcastTurn
from tests.gateway_shim.hub_errors import soon


def test_a_holder_that_asks_again_at_once() -> None:
    """Whoever waits already comes before a holder that takes the turn again without a pause."""
    turn, order = BroadcastTurn(), []

    def take(name: str, times: int) -> None:
        for _ in range(times):
            with turn:
                order.append(name)

    with turn:
        waiter = gevent.spawn(take, "waiter", 1)
        # Not one turn of the loop: on a busy machine the waiter lets others run before it waits.
        soon(lambda: turn._waiting == 1, "the waiter")
    take("holder", 100)
    waiter.join()
    assert order[0] == "waiter"


def test_the_turn_is_given_back() -> None:
    """An error of the holder, or the death of a waiter, does not keep the turn."""
    turn = BroadcastTurn()
    with pytest.raises(ValueError, match="x"), turn:
        raise ValueError("x")

    def wait() -> None:
        with turn:
            raise AssertionError("killed before its turn")

    with turn:
        waiter = gevent.spawn(wait)
        soon(lambda: turn._waiting == 1, "the waiter")
        waiter.kill()
    with turn:
        assert turn._waiting == 0
