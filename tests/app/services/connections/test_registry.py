"""The registry of streams: what a change returns, and what is read."""

from __future__ import annotations

import pytest

from app.services.connections.owners import HeldByAnotherUser, stream_audiences, user_digest
from app.services.connections.registry import StreamRegistry
from gateway_shim.protocol.event_stream import Event

BYE = Event("bye", "{}")


def test_a_stream_comes_and_goes() -> None:
    """A change says what it has replaced, and how many streams are left."""
    now = [5.0]
    registry = StreamRegistry(None, lambda: now[0])
    first = registry.add("me", "T1", "/1", None)
    assert (first.earlier, first.active, first.farewell) == (None, 1, None)
    now[0] = 7.0
    assert (registry.age_of("me"), registry.age_of("you")) == (2.0, None)
    second = registry.add("me", "T2", "/2", None)
    assert second.earlier is not None
    assert (second.earlier.token, second.active, registry.age_of("me")) == ("T1", 1, 0.0)
    assert (registry.remove("T1"), registry.remove("T2"), registry.all()) == (None, 0, [])


def test_the_tokens_are_the_same_tuple_until_a_change() -> None:
    """A broadcast to the same streams need not look them up again."""
    registry = StreamRegistry(None)
    registry.add("a", "T1", "/", None)
    tokens = registry.tokens()
    assert registry.tokens() is tokens == ("T1",)
    registry.add("b", "T2", "/", None)
    assert registry.tokens() == ("T1", "T2")
    registry.remove("T1")
    assert registry.tokens() == ("T2",)


def test_a_drain_gets_each_stream_once() -> None:
    """A stream is among the tokens, or it is told the farewell."""
    registry = StreamRegistry(None)
    registry.add("a", "T1", "/", None)
    assert registry.begin_drain(BYE) == ("T1",)
    assert registry.add("b", "T2", "/", None).farewell is BYE


def test_a_gateway_elsewhere_has_every_registered_stream() -> None:
    """Without knowledge of the gateway, no stream counts as ended, and no token as held."""
    open_tokens = {"T1"}
    registry, remote = StreamRegistry(open_tokens.__contains__), StreamRegistry(None)
    found = [(each.holds("T1"), each.has_ended("T2")) for each in (registry, remote)]
    assert found == [(True, True), (False, False)]


def test_users() -> None:
    """The owner of a stream is remembered after its end, until the id has a stream again."""
    registry = StreamRegistry(None)
    ann = user_digest("ann")
    registry.add("me", "T1", "/", "ann")
    registry.add("you", "T2", "/", None)
    registry.add("her", "T3", "/", "ann")
    with pytest.raises(HeldByAnotherUser):
        registry.add("me", "T4", "/", "bob")
    assert registry.audiences_of("T1") == stream_audiences("me", "ann")
    assert registry.audiences_of("T4") == ()
    assert (registry.owned(0, 1), registry.owned(1, 5)) == ([("me", ann)], [("her", ann)])
    assert (registry.digest_of("me"), registry.digest_of("you")) == (ann, None)
    registry.remove("T1")
    registry.remove("T3")
    assert (registry.digest_of("me"), registry.former_digest_of("me")) == (None, ann)
    registry.forget_owner("me")
    registry.add("her", "T5", "/", None)
    assert [registry.former_digest_of(name) for name in ("me", "her")] == [None, None]
