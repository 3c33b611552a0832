"""Streams of one server in several processes: one stream for each request id."""

from __future__ import annotations

import random

import pytest

from app.services.connection_manager import ServiceType
from app.services.elsewhere import streams as elsewhere
from gateway_shim.protocol.event_stream import Event
from tests.app.services.elsewhere.process_support import Process, group, pair
from tests.support.peers import PeerGroup

__all__ = ["group"]


def test_a_connect_replaces_the_stream_of_another_process(group: PeerGroup) -> None:
    """The older stream is closed and counted; streams of other request ids are not touched."""
    a, b = pair(group)
    a.connect("me", "A1")
    a.connect("you", "A2")
    b.connect("me", "B1")
    assert (a.streams, b.streams) == ({"you": "A2"}, {"me": "B1"})
    assert (a.transport.closed, b.transport.closed) == (["A1"], [])
    assert a.metrics.calls[-2:] == [("closed",), ("active", 1)]
    a.connect("me", "A3")
    assert (a.streams, b.streams) == ({"you": "A2", "me": "A3"}, {})
    a.leave("A1")  # the gateway reports the end of the closed stream
    assert a.streams == {"you": "A2", "me": "A3"}


def test_a_process_alone_tells_nothing(group: PeerGroup) -> None:
    """Neither connects nor sends nor questions cost a process anything that is alone."""
    a = Process(group, "a")
    a.connect("me", "A1", "ann")
    a.manager.send_event("me", {}, "n", ServiceType.TASK)
    a.manager.send_event("you", {}, "n", ServiceType.VERSION)
    assert not a.manager.has_connection("you")
    assert not a.manager.is_held_elsewhere("you", "T")
    assert (a.peers.told, a.peers.asked) == ([], [])


def test_the_later_of_two_connects_stays(group: PeerGroup) -> None:
    """Two processes connect the same request id before either has read of the other."""
    group.is_paused = True
    a, b = pair(group)
    a.connect("me", "A1")
    b.connect("me", "B1")
    b.peers.read(1)  # the connect to A: it is earlier than the own one
    assert b.streams == {"me": "B1"}
    for process in (b, a):
        process.peers.read()
    assert (a.streams, b.streams) == ({}, {"me": "B1"})
    assert (a.transport.closed, b.transport.closed) == (["A1"], [])


def test_a_stream_that_is_replaced_while_it_connects(group: PeerGroup) -> None:
    """Its other observers are not called, and it has no audiences; the newer stream stays."""
    a, b = pair(group)
    observed = []
    a.manager.register_on_connect(lambda _: b.connect("me", "B1"))
    a.manager.register_on_connect(observed.append)
    a.connect("me", "A1")
    assert (a.streams, b.streams, observed) == ({}, {"me": "B1"}, [])
    assert a.manager.audiences_of("A1") == ()
    assert a.transport.closed == ["A1"]


@pytest.mark.parametrize("seed", range(40))
def test_any_order_leaves_one_stream(group: PeerGroup, seed: int) -> None:
    """Whatever is told and read in whichever order, the last connect in the log stays alone."""
    dice = random.Random(seed)
    group.is_paused = True
    processes = [Process(group, name) for name in "abc"]
    ends: dict[str, str] = {}
    for number in range(30):
        process = dice.choice(processes)
        request_id = dice.choice(["me", "you"])
        if dice.random() < 0.4:
            token = f"{process.peers.process}{number}"
            process.connect(request_id, token)
            ends[request_id] = token
        else:
            process.peers.read(dice.randrange(4))
    for process in processes:
        process.peers.read()
    streams = [item for process in processes for item in process.streams.items()]
    assert sorted(streams) == sorted(ends.items())
    held = {token for process in processes for token in process.open if process.holds(token)}
    assert held == set(ends.values())


def test_a_connect_that_cannot_be_told(group: PeerGroup) -> None:
    """The log takes no note: the stream opens, and a later connect elsewhere replaces it."""
    a, b = pair(group)
    a.peers.is_failing = True
    a.connect("me", "A1")
    assert a.streams == {"me": "A1"}
    b.connect("me", "B1")
    assert (a.streams, b.streams) == ({}, {"me": "B1"})


def test_a_place_that_is_never_read(group: PeerGroup) -> None:
    """The log has lost a connect: after five seconds, it counts as earlier than what is read."""
    group.is_paused = True
    a, b = pair(group)
    a.connect("me", "A1")
    group.notes.clear()
    b.connect("me", "B1")
    a.peers.read()
    assert a.streams == {"me": "A1"}
    a.now = elsewhere.UNREAD_SECONDS
    b.connect("me", "B2")
    a.peers.read()
    assert (a.streams, b.streams) == ({}, {"me": "B2"})


def test_connects_that_wait_for_their_place_are_bounded(
    group: PeerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that reads no notes does not remember its connects for ever."""
    monkeypatch.setattr(elsewhere, "MAX_UNREAD", 3)
    group.is_paused = True
    a, _ = pair(group)
    for number in range(10):
        a.connect(f"r{number}", f"A{number}")
        assert len(a.manager._elsewhere._unread) <= 3


def test_a_late_stream_replaces_nothing(group: PeerGroup) -> None:
    """A stream that reaches a process in its drain does not end the one in its successor."""
    a, b = pair(group)
    b.connect("me", "B1")
    a.manager.drain(Event("bye", "{}"), 1)
    a.connect("me", "A1")
    assert b.streams == {"me": "B1"}
    assert a.transport.closed == ["A1"]
