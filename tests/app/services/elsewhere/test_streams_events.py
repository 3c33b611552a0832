"""Events for streams of other processes, and what is known of these streams."""

from __future__ import annotations

from app.services.connection_manager import ServiceType
from app.services.connections.owners import owned_audience, user_digest
from gateway_shim.protocol.event_stream import Event
from tests.app.services.elsewhere.process_support import Process, group, pair
from tests.support.peers import PeerGroup

__all__ = ["group"]


def test_an_event_is_addressed_to_the_owner_from_anywhere(group: PeerGroup) -> None:
    """Each process names the user, also after the stream has moved or ended."""
    a, b = pair(group)
    expected = owned_audience("me", user_digest("ann"))

    def audiences() -> list[str]:
        for process in (a, b):
            process.manager.send_event("me", {}, "n", ServiceType.TASK)
        return [process.publisher.entries[-1][0] for process in (a, b)]

    a.connect("me", "A1", "ann")
    assert audiences() == [expected] * 2
    b.connect("me", "B1", "ann")
    assert audiences() == [expected] * 2
    b.leave("B1")
    assert audiences() == [expected] * 2
    a.connect("me", "A2", "bob")
    assert audiences() == [owned_audience("me", user_digest("bob"))] * 2
    a.connect("me", "A3", "bob")
    a.leave("A3")
    b.connect("me", "B2")
    assert audiences() == [owned_audience("me", None)] * 2


def test_whether_an_event_may_have_been_taken(group: PeerGroup) -> None:
    """True if a stream here took it, or if the stream may be in another process."""
    a, b = pair(group)
    b.connect("me", "B1")
    a.connect("you", "A1")
    sent = [
        a.manager.send_event(request_id, {}, "n", ServiceType.TASK)
        for request_id in ("me", "you", None)
    ]
    assert sent == [True, False, True]  # the fake log delivers to no stream
    b.peers.leave()
    assert not a.manager.send_event("me", {}, "n", ServiceType.TASK)


def test_whether_a_request_id_is_connected(group: PeerGroup) -> None:
    """Every process knows, and only one that has no stream for the request id asks."""
    a, b = pair(group)
    b.connect("me", "B1")
    assert (a.manager.has_connection("me"), b.manager.has_connection("me")) == (True, True)
    assert (a.manager.age_here("me"), b.manager.age_here("me")) == (None, 0.0)
    assert b.peers.asked == []
    assert not a.manager.has_connection("you")
    b.open.clear()  # the browser has left, and the gateway has not told yet
    assert not a.manager.has_connection("me")


def test_whether_another_process_holds_a_stream(group: PeerGroup) -> None:
    """By its request id or by its token, whether or not the token is registered."""
    a, b = pair(group)
    b.connect("me", "B1")
    b.open.add("B2")
    asked = [("me", "T"), ("you", "B1"), ("you", "B2"), ("you", "T"), ("", "")]
    assert [a.manager.is_held_elsewhere(*pair) for pair in asked] == [True] * 3 + [False] * 2


def test_the_state_of_a_stream_elsewhere(group: PeerGroup) -> None:
    """An event that is not kept is sent by the process that has the stream, once."""
    a, b = pair(group)
    Process(group, "c")
    b.connect("me", "B1")
    assert a.manager.send_event("me", {"v": 1}, "n", ServiceType.VERSION)
    assert b.transport.sent == [("B1", Event("n", '{"v":1}'))]
    assert (a.publisher.entries, b.publisher.entries) == ([], [])
    assert not a.manager.send_event("you", {}, "n", ServiceType.VERSION)
    b.transport.failing.add("B1")
    assert not a.manager.send_event("me", {}, "n", ServiceType.VERSION)


def test_what_an_observer_sends_stays_here(group: PeerGroup) -> None:
    """An observer's event is for the stream that connects, and not for one that has replaced it."""
    a, b = pair(group)

    def observe(request_id: str) -> None:
        b.connect(request_id, "B1")
        a.manager.send_event(request_id, {}, "n", ServiceType.VERSION)

    a.manager.register_on_connect(observe)
    a.connect("me", "A1")
    assert (a.transport.sent, b.transport.sent) == ([], [])
    assert "stream_send" not in a.peers.asked
