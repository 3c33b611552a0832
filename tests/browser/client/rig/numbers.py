"""The numbered events of a test: which of them the server has published, and which a tab has."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.browser.tabs import Tab
from tests.support.http.client import BrokenHTTP, request
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["Numbers"]

_BATCH = 20
_PAUSE = 0.02
"""The numbers of one request, and the pause after it in seconds, while a fault happens."""

_SLOW_PAUSE = 0.2
"""The pause when enough numbers are published, but the fault is not over, in seconds."""


class Numbers:
    """The events ``number`` with the numbers 1, 2, 3, …, as ``backend.py`` publishes them.

    After a request without an answer, nobody but the server knows how many of its numbers were
    published, so they are not used again.

    Args:
        port: the port of the backend.
        filling: the number of additional characters in each event.

    Attributes:
        port: the port of the backend.
        acknowledged: the numbers of which the server has said that they are published.
        unanswered: the numbers of the requests without an answer.
    """

    def __init__(self, port: int, *, filling: int = 0) -> None:
        self.acknowledged: list[int] = []
        self.unanswered: list[int] = []
        self.port = port
        self._filling = filling
        self._next = 1

    def publish(self, count: int) -> None:
        """Publish until the server has acknowledged ``count`` more numbers."""
        wanted = len(self.acknowledged) + count
        wait_until(
            lambda: self._publish_batch(wanted - len(self.acknowledged)) >= wanted,
            lambda: f"{wanted} numbers; {len(self.acknowledged)} are published",
        )

    @contextmanager
    def publishing(self, count: int) -> Iterator[None]:
        """Publish at least ``count`` numbers, before the block, during the block and after it.

        A fifth of the numbers is published before the block, and a fifth after it.
        """
        wanted = len(self.acknowledged) + count - count // 5
        self.publish(count // 5)
        over = threading.Event()

        def run() -> None:
            while not over.is_set():
                is_enough = self._publish_batch(_BATCH) >= wanted
                over.wait(_SLOW_PAUSE if is_enough else _PAUSE)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(TIME_LIMIT)
        assert not thread.is_alive()
        self.publish(max(wanted - len(self.acknowledged), 0) + count // 5)

    def problems_of(self, *tabs: Tab) -> list[str]:
        """Wait until the tabs have the last number, and return what is missing, double or early.

        A number whose request got no answer is either in all tabs or in none.
        """
        self.publish(1)  # no tab may get an earlier number after this one
        for tab in tabs:
            tab.wait_for("last => numbers.includes(last)", self.acknowledged[-1])
        seen = [tab.evaluate("numbers") for tab in tabs]
        published = {*self.acknowledged}
        published |= {*self.unanswered}.intersection(*seen)
        return [
            f"tab {place}: {problem}"
            for place, numbers in enumerate(seen)
            for problem in _differences(numbers, sorted(published))
        ]

    def _publish_batch(self, count: int) -> int:
        """Publish up to ``count`` numbers, and return how many are published by now."""
        if count <= 0:
            return len(self.acknowledged)
        numbers = range(self._next, self._next + count)
        body = {"first": self._next, "count": count, "filling": self._filling}
        try:
            answer = request(self.port, "POST", "/publish", json_body=body)
        except ConnectionRefusedError:
            return len(self.acknowledged)
        except (OSError, BrokenHTTP):
            self.unanswered += numbers
            self._next += count
            return len(self.acknowledged)
        assert answer.status in (200, 503), answer
        if answer.status == 200:
            published = json.loads(answer.body)["published"]
            self.acknowledged += numbers[:published]
            self._next += published
        return len(self.acknowledged)


def _differences(numbers: Sequence[int], expected: Sequence[int]) -> list[str]:
    found = []
    if missing := sorted({*expected} - {*numbers}):
        found.append(f"{len(missing)} missing, from {missing[0]} to {missing[-1]}")
    if unknown := sorted({*numbers} - {*expected}):
        found.append(f"not published: {unknown}")
    if double := sorted(number for number, count in Counter(numbers).items() if count > 1):
        found.append(f"{len(double)} double, from {double[0]} to {double[-1]}")
    if not found and list(numbers) != list(expected):
        found.append("not in order")
    return found
