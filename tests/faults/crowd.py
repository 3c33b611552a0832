"""Clients for fault tests. Each holds one stream, and reconnects whenever the stream ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import gevent

from tests.support.backend_client import task_events
from tests.support.http.client import BrokenHTTP
from tests.support.http.stream import Stream, StreamNotOpened, open_stream
from tests.support.timing import TIME_LIMIT, TimeLimitPassed, wait_until

__all__ = ["Client", "Crowd"]

_PAUSE = 0.05
"""The pause between two attempts, in seconds. Real browsers wait longer."""


class Client:
    """A client with one request id, which opens one stream after another.

    Attributes:
        request_id: the request id of all its streams.
        streams: its streams, the oldest first.
        refused: the number of attempts that ended with a refusal or at a closed port.
    """

    def __init__(self, port: int) -> None:
        self.request_id = str(uuid.uuid4())
        self.streams: list[Stream] = []
        self.refused = 0
        self._port = port
        self._greenlet = gevent.spawn(self._run)

    @property
    def is_open(self) -> bool:
        """True if the client has an open stream."""
        return bool(self.streams) and self.streams[-1].ended is None

    def story(self, task_id: str) -> list[dict[str, Any]]:
        """Return the events of a task from all streams of this client."""
        return [event for stream in self.streams for event in task_events(stream.events, task_id)]

    def leave(self) -> None:
        """Close the stream, and do not reconnect."""
        self._greenlet.kill()
        for stream in self.streams:
            stream.close()

    def _run(self) -> None:
        while True:
            try:
                stream = open_stream(
                    self._port, f"/api/sse/stream?request_id={self.request_id}", lone_ids=True
                )
            except (OSError, BrokenHTTP, StreamNotOpened, TimeLimitPassed):
                self.refused += 1
            else:
                self.streams.append(stream)
                with stream:
                    stream.wait_for_end(limit=10 * TIME_LIMIT)
                if [event.type for event in stream.events] == ["server_restart"]:
                    # A server that is stopping sends this event instead of opening a stream.
                    self.streams.remove(stream)
                    self.refused += 1
            gevent.sleep(_PAUSE)


class Crowd:
    """A context manager that runs clients. At the start of the block all of them are connected.

    Args:
        port: the port of the server.
        size: the number of clients.

    Attributes:
        clients: the clients.
    """

    def __init__(self, port: int, size: int) -> None:
        self._port = port
        self._size = size
        self.clients: list[Client] = []

    def __enter__(self) -> Self:
        """Connect all clients."""
        self.clients = [Client(self._port) for _ in range(self._size)]
        self.wait_until(lambda client: client.is_open, "have a stream")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect all clients."""
        for client in self.clients:
            client.leave()

    def wait_until(self, question: Callable[[Client], bool], what: str) -> None:
        """Wait until ``question`` returns True for every client."""

        def missing() -> int:
            return sum(not question(client) for client in self.clients)

        wait_until(lambda: not missing(), lambda: f"all clients to {what}; {missing()} do not")

    def stories(self, task_id: str) -> list[list[dict[str, Any]]]:
        """Return the events of a task for each client."""
        return [client.story(task_id) for client in self.clients]

    def wait_for_tasks(self, task_ids: Iterable[str]) -> None:
        """Wait until every client has received the last event of each task."""
        for task_id in task_ids:
            self.wait_until(lambda client, task_id=task_id: is_over(client.story(task_id)), task_id)  # type: ignore[misc]


def is_over(story: list[dict[str, Any]]) -> bool:
    """Return True if the last of these events ends a task."""
    return bool(story) and story[-1]["event_type"].startswith(
        ("task_completed", "task_failed", "task_cancelled")
    )
