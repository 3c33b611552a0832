"""Browsers for fault tests: each holds one stream, and comes back whenever it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import gevent

from tests.support.backend_client import task_events
from tests.support.http.client import BrokenHTTP
from tests.support.http.stream import Stream, StreamRefused, open_stream
from tests.support.timing import TIME_LIMIT, TimeLimitPassed, wait_until

__all__ = ["Client", "Crowd"]

_PAUSE = 0.05
"""Seconds between two tries: real browsers take longer, tests have no time for that."""


class Client:
    """A browser with one request id and, one after another, any number of streams.

    Attributes:
        lives: its streams, the oldest first.
        refused: how often it was turned away, by an answer or by a closed port.
    """

    def __init__(self, port: int) -> None:
        self.request_id = str(uuid.uuid4())
        self.lives: list[Stream] = []
        self.refused = 0
        self._port = port
        self._greenlet = gevent.spawn(self._run)

    @property
    def is_open(self) -> bool:
        """Whether it has a stream now."""
        return bool(self.lives) and self.lives[-1].ended is None

    def story(self, task_id: str) -> list[dict[str, Any]]:
        """The events of a task that it got, over all of its streams."""
        return [event for life in self.lives for event in task_events(life.events, task_id)]

    def leave(self) -> None:
        """Close its stream and do not come back."""
        self._greenlet.kill()
        for life in self.lives:
            life.close()

    def _run(self) -> None:
        while True:
            try:
                stream = open_stream(self._port, f"/api/sse/stream?request_id={self.request_id}")
            except (OSError, BrokenHTTP, StreamRefused, TimeLimitPassed):
                self.refused += 1
            else:
                self.lives.append(stream)
                with stream:
                    stream.wait_for_end(limit=10 * TIME_LIMIT)
                if [event.type for event in stream.events] == ["server_restart"]:
                    # A server that ends answers so instead of opening a stream.
                    self.lives.remove(stream)
                    self.refused += 1
            gevent.sleep(_PAUSE)


class Crowd:
    """A context manager: so many clients, all of them connected when it is entered.

    Args:
        port: where their streams are.
        size: how many.
    """

    def __init__(self, port: int, size: int) -> None:
        self._port = port
        self._size = size
        self.clients: list[Client] = []

    def __enter__(self) -> Self:
        """Connect all of them."""
        self.clients = [Client(self._port) for _ in range(self._size)]
        self.wait_until(lambda client: client.is_open, "have a stream")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect all of them."""
        for client in self.clients:
            client.leave()

    def wait_until(self, question: Callable[[Client], bool], what: str) -> None:
        """Wait until the question is true for every client."""

        def missing() -> int:
            return sum(not question(client) for client in self.clients)

        wait_until(lambda: not missing(), lambda: f"all clients to {what}; {missing()} do not")

    def stories(self, task_id: str) -> list[list[dict[str, Any]]]:
        """Each client's events of a task."""
        return [client.story(task_id) for client in self.clients]

    def wait_for_tasks(self, task_ids: Iterable[str]) -> None:
        """Wait until every client has had the last event of each of these tasks."""
        for task_id in task_ids:
            self.wait_until(lambda client, task_id=task_id: is_over(client.story(task_id)), task_id)  # type: ignore[misc]


def is_over(story: list[dict[str, Any]]) -> bool:
    """Return whether the last event of a task is among these."""
    return bool(story) and story[-1]["event_type"].startswith(
        ("task_completed", "task_failed", "task_cancelled")
    )
