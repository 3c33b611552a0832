"""The owners of request ids, and the audiences that follow from them."""

from __future__ import annotations

from app.services.connections.owners import (
    Owner,
    Owners,
    owned_audience,
    stream_audiences,
    user_digest,
)


def test_audiences_without_a_user() -> None:
    """Without a user, a stream is addressed by its request id alone."""
    assert stream_audiences("me", None) == ("r:me",)
    assert owned_audience("me", None) == "r:me"


def test_audiences_with_a_user() -> None:
    """A stream of a user is addressed by its request id, by its request id and user, and by user.

    The request id alone is there because another process may not know the user.
    """
    assert stream_audiences("me", "ann") == (
        "r:me",
        owned_audience("me", user_digest("ann")),
        "u:ann",
    )


def test_nobody_elses_audience() -> None:
    """No two pairs of request id and user share an audience, however odd their texts are."""
    texts = ["a", "b", "a:b", "r:a", "", "\ud800", "x" * 200]
    request_ids = ["a", "b", "ab", "x" * 200]
    pairs = [(request_id, user) for request_id in request_ids for user in [None, *texts]]
    audiences = {
        owned_audience(request_id, None if user is None else user_digest(user))
        for request_id, user in pairs
    }
    assert len(audiences) == len(pairs)
    assert all(audience.isascii() and len(audience) <= 240 for audience in audiences)


def test_owners_are_bounded() -> None:
    """Beyond the limit, the request id that was added first is forgotten."""
    owners = Owners(limit=2)
    owners.add("a", Owner("ann"))
    owners.add("b", Owner("bob"))
    owners.add("a", Owner("ann", "p2"))  # added again, later than b
    owners.add("c", Owner("cat"))
    assert [owners.get(request_id) for request_id in "abc"] == [
        Owner("ann", "p2"),
        None,
        Owner("cat"),
    ]


def test_an_owner_is_forgotten() -> None:
    """A request id that is removed has no owner; others are not affected."""
    owners = Owners()
    owners.add("a", Owner("ann"))
    owners.remove("a")
    owners.remove("b")
    assert owners.get("a") is None
    assert "a" not in owners
