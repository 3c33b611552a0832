"""Long work that lets others run."""

from __future__ import annotations

import socket

import gevent
import pytest
from gevent import monkey

from gateway_shim.event_loop import turns
from gateway_shim.event_loop.turns import (
    SLICE_SECONDS,
    OrderedTurns,
    let_others_run,
    let_others_run_if_due,
)
from tests.support.timing import TIME_LIMIT

block = monkey.get_original("time", "sleep")


def test_a_socket_is_looked_at_in_every_turn() -> None:
    """A greenlet that waits for a byte has it after one or two turns, not after fifty."""
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
    """Ready greenlets run before let_others_run returns."""
    order: list[str] = []
    other = gevent.spawn(order.append, "other")
    let_others_run()
    order.append("me")
    assert order == ["other", "me"]
    assert other.ready()


def test_others_have_their_turn_however_long_the_list_was() -> None:
    """Ready greenlets run even if gevent leaves part of its list for the next round.

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


def test_nobody_else_runs_before_the_slice_is_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others run once when the slice is used up, and then a new slice begins.

    The slice is a minute at first: a busy machine may take a real one away before the first look.
    """
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", TIME_LIMIT)
    ran: list[str] = []
    let_others_run()
    other = gevent.spawn(ran.append, "other")
    let_others_run_if_due()
    assert ran == []
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", SLICE_SECONDS)
    block(SLICE_SECONDS)
    let_others_run_if_due()
    assert ran == ["other"]
    assert other.ready()


def test_long_work_shares_one_slice() -> None:
    """A socket is polled after one slice and one step, however many greenlets work.

    Counted in steps of work, the time of which the machine cannot change: each lasts a slice.
    """
    steps: list[int] = []

    def work(name: int) -> None:
        while True:
            block(SLICE_SECONDS)
            steps.append(name)
            let_others_run_if_due()

    reader, writer = socket.socketpair()
    workers = [gevent.spawn(work, name) for name in range(10)]
    try:
        with reader, writer:
            let_others_run()
            seen = []
            for _ in range(20):
                got = gevent.spawn(reader.recv, 1)
                before = len(steps)
                writer.send(b"x")
                got.join()
                seen.append(len(steps) - before)
            assert max(seen) <= 3
    finally:
        gevent.killall(workers)


def test_long_work_takes_turns() -> None:
    """A greenlet gets its second slice only after all others in the line have had one."""
    steps: list[int] = []

    def work(name: int) -> None:
        while len(steps) < 40:
            block(SLICE_SECONDS)
            steps.append(name)
            let_others_run_if_due()

    gevent.joinall([gevent.spawn(work, name) for name in range(4)])
    for start in range(0, 36, 4):
        assert sorted(steps[start : start + 4]) == [0, 1, 2, 3]


def test_short_steps_share_a_slice() -> None:
    """A round resumes as many waiting greenlets as fit into the slice."""
    order: list[int] = []

    def work(name: int) -> None:
        let_others_run()
        order.append(name)

    greenlets = [gevent.spawn(work, name) for name in range(20)]
    for _ in range(10):
        let_others_run()
    gevent.joinall(greenlets)
    assert order == list(range(20))


def test_a_greenlet_killed_in_the_line_leaves_it() -> None:
    """A greenlet that is killed in the line leaves it, and those behind get their turn."""
    order: list[int] = []

    def work(name: int) -> None:
        let_others_run()
        order.append(name)

    first, second = gevent.spawn(work, 1), gevent.spawn(work, 2)
    gevent.sleep(0)
    first.kill()
    second.join()
    let_others_run()
    assert order == [2]


@pytest.mark.parametrize("slices", ["used up", "just begun"])
def test_ordered_turns_keep_the_order(slices: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who comes later goes on earlier, whether or not its round has just begun."""
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.0)
    line = OrderedTurns()
    order: list[int] = []

    def work(name: int) -> None:
        line.wait_if_due()
        order.append(name)

    first = [gevent.spawn(work, name) for name in range(3)]
    gevent.sleep(0)  # they are waiting now
    assert not order
    if slices == "just begun":
        monkeypatch.setattr(turns, "SLICE_SECONDS", TIME_LIMIT)
    gevent.joinall([*first, *[gevent.spawn(work, name) for name in range(3, 6)]])
    assert order == list(range(6))


def test_ordered_turns_do_not_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once nobody waits, a greenlet goes on at once while the slice is not used up."""
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.0)
    line = OrderedTurns()
    waiting, killed = gevent.spawn(line.wait_if_due), gevent.spawn(line.wait_if_due)
    gevent.sleep(0)
    killed.kill()
    waiting.join()
    monkeypatch.setattr(turns, "SLICE_SECONDS", TIME_LIMIT)
    ran: list[str] = []
    other = gevent.spawn(ran.append, "other")
    line.wait_if_due()
    assert not ran
    other.join()


def test_the_hub_cannot_let_others_run() -> None:
    """In the hub, asking to let others run changes nothing, because the hub cannot switch."""
    done: list[str] = []

    def callback() -> None:
        block(SLICE_SECONDS)
        let_others_run_if_due()
        let_others_run()
        done.append("done")

    gevent.get_hub().loop.run_callback(callback)
    let_others_run()
    assert done == ["done"]
