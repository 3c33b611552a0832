"""Nobody waits for a body, and there is a bound for each thing."""

from __future__ import annotations

from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.http_client.unread_bodies import UnreadBodies
from tests.support.timing import TIME_LIMIT, wait_until


class Answer:
    """Stands in for an HttpAnswer.

    Args:
        here: whether the body was received.
        end: waits for the body's end.
    """

    def __init__(self, here: bool = False, end: Callable[[], object] = lambda: None) -> None:
        self.did: list[str] = []
        self._here = here
        self._end = end

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.did.append("closed")

    def body_is_here(self) -> bool:
        """As the test says."""
        return self._here

    def close_unread(self) -> None:
        """Note it."""
        self.did.append("closed unread")

    def discard(self) -> None:
        """Wait for the end."""
        self._end()
        self.did.append("read")


def test_a_body_that_is_here() -> None:
    """It needs no greenlet."""
    answer = Answer(here=True)
    UnreadBodies(TIME_LIMIT).take(answer)  # type: ignore[arg-type]
    assert answer.did == ["closed unread"]


def test_a_body_that_comes_later() -> None:
    """It is read while the caller goes on."""
    end = Signal()
    answer = Answer(end=end.wait)
    bodies = UnreadBodies(TIME_LIMIT)
    bodies.take(answer)  # type: ignore[arg-type]
    gevent.sleep(0)
    assert (answer.did, bodies.awaited) == ([], 1)
    end.set()
    wait_until(lambda: answer.did == ["read", "closed"], "the body to be read")
    assert bodies.awaited == 0


def test_a_body_without_an_end() -> None:
    """It is given up after the time limit, without a word."""
    answer = Answer(end=Signal().wait)
    UnreadBodies(0.01).take(answer)  # type: ignore[arg-type]
    wait_until(lambda: answer.did == ["closed"], "the answer to be closed")


@pytest.mark.parametrize("at_once", [1, 3])
def test_so_many_at_once(at_once: int) -> None:
    """One more is closed at once; when others have ended, there is room again."""
    end = Signal()
    answers = [Answer(end=end.wait) for _ in range(at_once + 1)]
    bodies = UnreadBodies(TIME_LIMIT, at_once)
    for answer in answers:
        bodies.take(answer)  # type: ignore[arg-type]
    gevent.sleep(0)
    assert [answer.did for answer in answers] == [[]] * at_once + [["closed unread"]]
    end.set()
    wait_until(lambda: answers[0].did == ["read", "closed"], "the bodies to be read")
    last = Answer()
    bodies.take(last)  # type: ignore[arg-type]
    wait_until(lambda: last.did == ["read", "closed"], "the last body to be read")
