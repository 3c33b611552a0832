"""Tests of unread bodies: callers do not wait for them, and everything has a limit."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.http_client.unread_bodies import UnreadBodies
from tests.support.timing import TIME_LIMIT, wait_until


class FakeAnswer:
    """A fake of HttpAnswer.

    Args:
        here: whether the body was received.
        end: waits for the end of the body.
    """

    def __init__(self, here: bool = False, end: Callable[[], object] = lambda: None) -> None:
        self.did: list[str] = []
        self._here = here
        self._end = end

    def __enter__(self) -> None:
        """Return the answer."""

    def __exit__(self, *error: object) -> None:
        """Close the answer."""
        self.did.append("closed")

    def body_is_here(self) -> bool:
        """Return what the test has set."""
        return self._here

    def close_unread(self) -> None:
        """Record the call."""
        self.did.append("closed unread")

    def discard(self) -> None:
        """Wait for the end of the body."""
        self._end()
        self.did.append("read")


def test_a_body_that_is_here() -> None:
    """A body that was received needs no greenlet."""
    answer = FakeAnswer(here=True)
    UnreadBodies(TIME_LIMIT).take(answer)  # type: ignore[arg-type]
    assert answer.did == ["closed unread"]


def test_a_body_that_comes_later() -> None:
    """A body that arrives later is read while the caller continues."""
    end = Signal()
    answer = FakeAnswer(end=end.wait)
    bodies = UnreadBodies(TIME_LIMIT)
    bodies.take(answer)  # type: ignore[arg-type]
    gevent.sleep(0)
    assert (answer.did, bodies.awaited) == ([], 1)
    end.set()
    wait_until(lambda: answer.did == ["read", "closed"], "the body to be read")
    assert bodies.awaited == 0


def test_a_body_without_an_end() -> None:
    """An endless body is given up after the time limit, without a log line."""
    answer = FakeAnswer(end=Signal().wait)
    UnreadBodies(0.01).take(answer)  # type: ignore[arg-type]
    wait_until(lambda: answer.did == ["closed"], "the answer to be closed")


@pytest.mark.parametrize("at_once", [1, 3])
def test_a_body_above_the_limit(at_once: int) -> None:
    """A body above the limit is closed at once; the end of another body makes room."""
    end = Signal()
    answers = [FakeAnswer(end=end.wait) for _ in range(at_once + 1)]
    bodies = UnreadBodies(TIME_LIMIT, at_once)
    for answer in answers:
        bodies.take(answer)  # type: ignore[arg-type]
    gevent.sleep(0)
    assert [answer.did for answer in answers] == [[]] * at_once + [["closed unread"]]
    end.set()
    wait_until(lambda: answers[0].did == ["read", "closed"], "the bodies to be read")
    last = FakeAnswer()
    bodies.take(last)  # type: ignore[arg-type]
    wait_until(lambda: last.did == ["read", "closed"], "the last body to be read")
