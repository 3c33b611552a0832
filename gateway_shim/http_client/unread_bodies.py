"""Bodies of answers whose head was enough: read behind the caller's back, in bounds.

A connection can carry the next request only when the body of its last answer has been read. Often
the body comes a moment after the head. It may also come after seconds, or never end, and nobody
waits for it: see :class:`UnreadBodies`.
"""

from __future__ import annotations

import contextlib

import gevent
from gevent.pool import Pool

from gateway_shim.http_client.reply import HttpAnswer

__all__ = ["BODIES_AT_ONCE", "UnreadBodies"]

BODIES_AT_ONCE = 256
"""Bodies that are awaited at a time; each occupies a connection and a greenlet."""


class UnreadBodies:
    """Reads bodies to their end, so that their connections are kept, and closes the others.

    An answer's connection is closed at once if so many bodies are awaited already, and later if
    its body is too long (:meth:`HttpAnswer.discard`) or has not ended in time.

    Args:
        seconds: time limit of one body.
        at_once: bodies that are awaited at a time.
    """

    def __init__(self, seconds: float, at_once: int = BODIES_AT_ONCE) -> None:
        self._seconds = seconds
        self._awaited = Pool(at_once)

    @property
    def awaited(self) -> int:
        """The number of bodies that are awaited."""
        return len(self._awaited)

    def take(self, answer: HttpAnswer) -> None:
        """Take over an answer; returns at once."""
        if answer.body_is_here() or self._awaited.full():
            answer.close_unread()
        else:
            self._awaited.spawn(self._read, answer)

    def _read(self, answer: HttpAnswer) -> None:
        with answer, contextlib.suppress(gevent.Timeout), gevent.Timeout(self._seconds):
            answer.discard()
