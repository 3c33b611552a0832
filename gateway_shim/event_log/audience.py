"""Audiences: to whom an event is addressed. Pure.

An audience is a string. A stream has a set of audiences, and gets the events that are addressed to
one of them, and all events that are addressed to everyone.
"""

from __future__ import annotations

__all__ = ["EVERYONE", "NOTES", "request_audience", "topic_audience", "user_audience"]

EVERYONE = "*"
"""The audience of all streams. No stream has to be a member of it."""

NOTES = "n:"
"""The audience of what processes tell each other. No stream is ever a member of it."""


def request_audience(request_id: str) -> str:
    """Return the audience of one browser's stream, by its request id."""
    return f"r:{request_id}"


def user_audience(user: str) -> str:
    """Return the audience of all streams of one user."""
    return f"u:{user}"


def topic_audience(topic: str) -> str:
    """Return the audience of all streams that listen to a topic."""
    return f"t:{topic}"
