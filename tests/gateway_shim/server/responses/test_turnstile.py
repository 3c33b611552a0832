"""Expensive work is serialized, few greenlets wait, and no owner takes all places."""

from __future__ import annotations

import gevent

from gateway_shim.server.responses.turnstile import Turnstile


def test_others_run_between_two_pieces() -> None:
    """Other greenlets get several turns between two pieces of work."""
    turnstile = Turnstile(100)
    order: list[str] = []
    over = []

    def work(number: int) -> None:
        assert turnstile.wait(str(number))
        order.append("work")

    def live() -> None:
        while not over:
            order.append("live")
            gevent.sleep(0)

    living = gevent.spawn(live)
    gevent.joinall([gevent.spawn(work, number) for number in range(10)], raise_error=True)
    over.append(True)
    living.join()
    between = "".join("w" if item == "work" else "." for item in order).split("w")
    assert len(between) == 11
    assert all(len(turns) >= 4 for turns in between[:-1])


def test_few_wait() -> None:
    """Further callers are refused at once; one owner gets at most a fourth of the places."""
    turnstile = Turnstile(8)
    waiting = {
        (owner, number): gevent.spawn(turnstile.wait, owner)
        for owner in "abcdef"
        for number in range(3)
    }
    gevent.joinall(list(waiting.values()), raise_error=True)
    let_in = [key for key, greenlet in waiting.items() if greenlet.value]
    assert let_in == [(owner, number) for owner in "abcd" for number in range(2)]
    assert turnstile.wait("a")
    assert not turnstile._waiting


def test_one_that_is_ended_while_it_waits() -> None:
    """A killed waiter leaves its place, and the others continue."""
    turnstile = Turnstile(4)
    first, second = (gevent.spawn(turnstile.wait, owner) for owner in "ab")
    gevent.sleep(0)
    first.kill()
    assert second.get() is True
    assert not turnstile._waiting
