"""Tests of the functions that load what this process must know."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.streams.peers.joining import Joining
from gateway_shim.streams.peers.peers import Answer
from tests.gateway_shim.hub_errors import soon
from tests.gateway_shim.streams.peers.wire import Wire


def test_each_runs_in_its_own_greenlet(caplog: pytest.LogCaptureFixture) -> None:
    """A function that waits or fails delays no other one."""
    joining, gate, run = Joining(), Signal(), []
    joining.add(gate.wait)
    joining.add(lambda: [][0])
    joining.add(lambda: run.append(1))
    joining.run()
    assert run == []
    soon(lambda: run == [1], "the last function")
    assert len(caplog.records) == 1
    joining.close()


def test_never_twice_at_the_same_time() -> None:
    """A function that is called for while it runs runs once more at its end."""
    joining, gate, begun = Joining(), Signal(), [0]

    def load() -> None:
        begun[0] += 1
        gate.wait()

    joining.add(load)
    for _ in range(4):
        joining.run()
        gevent.sleep(0)
    assert begun == [1]
    gate.set()
    soon(lambda: begun == [2], "the second run")
    soon(lambda: not joining._greenlets, "the end")
    assert begun == [2]
    joining.run()
    soon(lambda: begun == [3], "a later run")


def test_close() -> None:
    """Functions that run are stopped, and may run again after another start."""
    joining, begun = Joining(), [0]

    def load() -> None:
        begun[0] += 1
        Signal().wait()

    joining.add(load)
    joining.run()
    gevent.sleep(0)
    joining.close()
    joining.run()
    soon(lambda: begun == [2], "the run after the close")
    joining.close()


def test_joined(wire: Wire) -> None:
    """The state is loaded at the start, and again after notes may have been missed."""
    first, second = wire.join(), wire.join()
    second.peers.when_asked("state", lambda data: 5)
    second.start()
    loaded: list[list[Answer]] = []
    first.peers.when_joined(lambda: loaded.append(first.peers.ask("state")))
    first.start()
    soon(lambda: len(loaded) == 1, "the first load")
    first.peers.notes_missed()
    soon(lambda: len(loaded) == 2, "the second load")
    assert loaded == [[Answer("p-2", 5)]] * 2
    assert first.peers.stats.missed == 1


def test_joined_while_cut_off(wire: Wire) -> None:
    """A process of many servers that found no others loads the state once it hears of one."""
    first = wire.join(name="p-1@a")
    loaded: list[list[Answer]] = []
    first.peers.when_joined(lambda: loaded.append(first.peers.ask("state")))
    first.start()
    soon(lambda: loaded == [[]], "the first load")
    second = wire.join(name="p-1@b")
    second.peers.when_asked("state", lambda data: 5)
    second.start()
    for number in range(2):
        second.peers.tell("k", number)
    soon(lambda: len(loaded) == 2, "the second load")
    assert loaded[1] == [Answer("p-1@b", 5)]
    gevent.sleep(0)
    assert len(loaded) == 2
