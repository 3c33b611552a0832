"""Reads the bodies of answers that the caller does not read, in the background: UnreadBodies.

A connection can carry the next request only after the body of its last answer has been read. Often
the body arrives a moment after the head. It can also arrive seconds later, or never end. Callers do
not wait for it; :class:`UnreadBodies` does, within limits.
"""

from __future__ import annotations

import contextlib

import gevent
from gevent.pool import Pool

from gateway_shim.http_client.answer import HttpAnswer

__all__ = ["BODIES_AT_ONCE", "UnreadBodies"]

BODIES_AT_ONCE = 256
"""The number of bodies that are awaited at a time. Each needs a connection and a greenlet."""


class UnreadBodies:
    """Reads bodies to their end, so that their connections can be kept.

    The connection of an answer is closed at once if too many bodies are awaited already. It is
    closed later if its body is too long (:meth:`HttpAnswer.discard`) or does not end in time.

    Args:
        seconds: the time limit for one body.
        at_once: the number of bodies that are awaited at a time.
    """

    def __init__(self, seconds: float, at_once: int = BODIES_AT_ONCE) -> None:
        self._seconds = seconds
        self._awaited = Pool(at_once)

    @property
    def awaited(self) -> int:
        """The number of bodies that are awaited."""
        return len(self._awaited)

    def take(self, answer: HttpAnswer) -> None:
        """Take over an answer, which must not be used any more. Returns at once."""
        if answer.body_is_here() or self._awaited.full():
            answer.close_unread()
        else:
            self._awaited.spawn(self._read, answer)

    def _read(self, answer: HttpAnswer) -> None:
        with answer, contextlib.suppress(gevent.Timeout), gevent.Timeout(self._seconds):
            answer.discard()
