"""Streams of users in several processes: another user cannot have the request id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from app.services.connection_manager import HeldByAnotherUser
from app.services.connections.owners import user_digest
from app.services.elsewhere import streams as elsewhere
from tests.app.services.elsewhere.process_support import Process, group, pair
from tests.support.peers import PeerGroup
from tests.support.timing import TIME_LIMIT


@pytest.fixture(autouse=True)
def _wait_shortly(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "not_read_yet" not in request.node.name:  # in the others, nobody reads meanwhile
        monkeypatch.setattr(elsewhere, "PLACE_SECONDS", 0.001)


__all__ = ["group"]


@pytest.mark.parametrize("other", ["bob", None])
def test_another_user_cannot_replace_a_stream(group: PeerGroup, other: str | None) -> None:
    """While a user's stream is open in one process, another user cannot have its id elsewhere."""
    a, b = pair(group)
    a.connect("me", "A1", "ann")
    with pytest.raises(HeldByAnotherUser):
        b.connect("me", "B1", other)
    assert (a.streams, b.streams) == ({"me": "A1"}, {})
    b.connect("me", "B2", "ann")
    assert (a.streams, b.streams) == ({}, {"me": "B2"})
    b.leave("B2")
    a.connect("me", "A2", other)
    assert a.streams == {"me": "A2"}


def test_a_stream_without_a_user_can_be_replaced(group: PeerGroup) -> None:
    """Any user can replace a stream without a user."""
    a, b = pair(group)
    a.connect("me", "A1")
    b.connect("me", "B1", "ann")
    assert (a.streams, b.streams) == ({}, {"me": "B1"})
    with pytest.raises(HeldByAnotherUser):
        a.connect("me", "A2")


@pytest.mark.parametrize("order", [(0, 1, 0, 1), (1, 0, 1, 0)])
def test_the_first_of_two_users_stays(group: PeerGroup, order: tuple[int, ...]) -> None:
    """Two users connect at once: the later one in the log is ended, whichever reads first."""
    group.is_paused = True
    a, b = pair(group)
    a.connect("me", "A1", "ann")
    b.connect("me", "B1", "bob")
    for number in order:
        (a, b)[number].peers.read()
    assert (a.streams, b.streams) == ({"me": "A1"}, {})
    assert (a.transport.closed, b.transport.closed) == ([], ["B1"])
    with pytest.raises(HeldByAnotherUser):
        b.connect("me", "B2", "bob")


def test_a_connect_that_was_not_read_yet(group: PeerGroup) -> None:
    """Another user has connected elsewhere a moment before: the later connect is refused."""
    group.is_paused = True
    a, b = pair(group)
    a.connect("me", "A1", "ann")
    a.connect("you", "A2")
    b.connect("his", "B0", "bob")
    for request_id, user in (("me", "bob"), ("you", "bob"), ("me", "ann")):
        connecting = gevent.spawn(b.connect, request_id, f"B-{request_id}-{user}", user)
        gevent.sleep(0)
        assert not connecting.ready()
        b.peers.read()
        if (request_id, user) == ("me", "bob"):
            with pytest.raises(HeldByAnotherUser):
                connecting.get(timeout=TIME_LIMIT)
            with pytest.raises(HeldByAnotherUser):
                b.connect("me", "B", None)  # it is known by now
            assert b.streams == {"his": "B0"}
        else:
            connecting.get(timeout=TIME_LIMIT)
    a.peers.read()
    b.peers.read()
    assert (a.streams, set(b.streams)) == ({}, {"his", "you", "me"})
    assert not b.manager._elsewhere._waiting
    assert not b.manager._elsewhere._refused


def test_a_connect_without_a_user_that_was_not_read_yet(group: PeerGroup) -> None:
    """It waits for its place, too, if there are streams of users."""
    group.is_paused = True
    a, b = pair(group)
    b.connect("his", "B0", "bob")
    b.leave("B0")
    a.connect("me", "A1", "ann")
    connecting = gevent.spawn(b.connect, "me", "B1")
    gevent.sleep(0)
    assert not connecting.ready()
    b.peers.read()
    with pytest.raises(HeldByAnotherUser):
        connecting.get(timeout=TIME_LIMIT)
    assert b.streams == {}


def test_a_stream_that_is_replaced_before_its_place_is_not_read_yet(group: PeerGroup) -> None:
    """The same user has connected elsewhere meanwhile: the observers are not called."""
    group.is_paused = True
    a, b = pair(group)
    observed: list[str] = []
    a.manager.register_on_connect(observed.append)
    a.is_opening = True
    connecting = [gevent.spawn(a.connect, "me", "A1", "ann")]
    gevent.sleep(0)
    connecting.append(gevent.spawn(b.connect, "me", "B1", "ann"))
    gevent.sleep(0)
    a.peers.read()
    b.peers.read()
    gevent.joinall(connecting, timeout=TIME_LIMIT, raise_error=True)
    assert (a.streams, b.streams, observed) == ({}, {"me": "B1"}, [])


@pytest.mark.parametrize("is_told", [True, False])
def test_a_log_that_is_away(
    group: PeerGroup, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """The stream opens after a short time, before it is known whether the log takes its note."""
    a, b = pair(group)
    waiting: list[tuple[str, Any, Callable[[], object]]] = []
    with monkeypatch.context() as patch:
        patch.setattr(a.peers, "tell", lambda *_, **__: pytest.fail("it waits for the log"))
        patch.setattr(a.peers, "tell_soon", lambda *note: waiting.append(note))
        a.connect("me", "A1", "ann")
    assert a.streams == {"me": "A1"}
    ((kind, note, failed),) = waiting
    if is_told:
        a.peers.tell(kind, note)
    else:
        failed()
    assert not a.manager._elsewhere._unread
    b.connect("me", "B1", "ann")
    assert (a.streams, b.streams) == ({}, {"me": "B1"})


def test_a_user_that_is_not_known_any_more(
    group: PeerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bound, the stream of another user is ended after it was opened."""
    monkeypatch.setattr(elsewhere, "MAX_OWNERS_ELSEWHERE", 1)
    a, b = pair(group)
    a.connect("me", "A1", "ann")
    a.connect("you", "A2", "ann")
    b.connect("me", "B1", "bob")
    assert (a.streams, b.streams) == ({"me": "A1", "you": "A2"}, {})
    assert b.transport.closed == ["B1"]


def test_a_holder_that_does_not_answer(group: PeerGroup) -> None:
    """A process that runs may still have its stream, and one that has ended has none."""
    a, b = pair(group)
    a.connect("me", "A1", "ann")
    group.silent.add("a")
    with pytest.raises(HeldByAnotherUser):
        b.connect("me", "B1", "bob")
    a.peers.leave()
    Process(group, "c")
    b.connect("me", "B2", "bob")
    assert b.streams == {"me": "B2"}


def test_a_process_that_joins_learns_the_users(
    group: PeerGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page after page; what it was told meanwhile is newer, and is kept."""
    monkeypatch.setattr(elsewhere, "OWNERS_AT_ONCE", 2)
    a = Process(group, "a")
    for number in range(5):
        a.connect(f"r{number}", f"A{number}", "ann")
    b = Process(group, "b")
    b.connect("r1", "B1", "ann")
    b.peers.start()
    assert b.peers.asked == ["stream_owners"] * 3
    for request_id in ("r0", "r2", "r3", "r4"):
        with pytest.raises(HeldByAnotherUser):
            b.connect(request_id, "B2", "bob")
    with pytest.raises(HeldByAnotherUser):
        b.connect("r1", "B2", "bob")
    assert b.streams == {"r1": "B1"}


def test_what_was_told_is_newer_than_what_is_loaded(group: PeerGroup) -> None:
    """A stream moves while a process joins; the process that it has left has not noticed yet."""
    a = Process(group, "a")
    a.connect("me", "A1", "ann")
    group.is_paused = True
    b, c = Process(group, "b"), Process(group, "c")
    c.connect("me", "C1", "ann")
    b.peers.read()
    b.peers.start()  # the first process still lists the stream
    a.peers.read()
    with pytest.raises(HeldByAnotherUser):
        b.connect("me", "B1", "bob")
    assert (a.streams, c.streams) == ({}, {"me": "C1"})


def test_an_objection_that_comes_late(group: PeerGroup) -> None:
    """The other user's stream has ended, and the owner has connected to the same process."""
    group.is_paused = True
    a, b = pair(group)
    a.connect("me", "A1", "ann")
    b.connect("me", "B1", "bob")
    b.leave("B1")
    b.connect("me", "B2", "ann")
    for process in (a, b):
        process.peers.read()
    assert (a.streams, b.streams) == ({}, {"me": "B2"})
    assert b.transport.closed == []


def test_no_name_of_a_user_is_told(group: PeerGroup) -> None:
    """Notes and answers have digests of users."""
    a, b = pair(group)
    a.connect("me", "A1", "ann@example.org")
    with pytest.raises(HeldByAnotherUser):
        b.connect("me", "B1", "bob@example.org")
    texts = [str(a.peers.told), str(b.peers.told), str(a.manager._elsewhere._list_owners(0))]
    assert "example" not in "".join(texts)
    assert user_digest("ann@example.org") in texts[0]
