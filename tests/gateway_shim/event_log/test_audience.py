"""Tests of audiences."""

from __future__ import annotations

from gateway_shim.event_log.audience import (
    EVERYONE,
    request_audience,
    topic_audience,
    user_audience,
)


def test_audiences() -> None:
    """A request, a user and a topic of the same name are different audiences."""
    audiences = [request_audience("a"), user_audience("a"), topic_audience("a")]
    assert audiences == ["r:a", "u:a", "t:a"]


def test_nobody_can_be_named_everyone() -> None:
    """No name makes the audience of all streams."""
    assert EVERYONE not in {make("*") for make in (request_audience, user_audience, topic_audience)}
