"""A stream as the code of a page sees it: named events with JSON data, in either dialect."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from gateway_shim.protocol.event_stream import Dialect
from tests.support.http.sse_parser import SSEEvent
from tests.support.http.stream import Stream, open_stream

__all__ = ["BrowserStream", "Message", "WrongDialect", "kinds_of"]


_READY = ("ready", "")


class WrongDialect(AssertionError):
    """An event has another dialect than the earlier events, or than the gateway should have."""


@dataclass(frozen=True)
class Message:
    """One event, with its name and its data as parsed JSON."""

    name: str
    data: Any


class BrowserStream:
    """A context manager that opens a stream and closes it at the end of the block.

    Args:
        port: the port of the gateway, or of the backend that contains it.
        request_id: the request id of the stream.
        dialect: the dialect of the gateway; None: the dialect of the first event.
        version: the HTTP version.

    Attributes:
        request_id: the request id of the stream.
        stream: the stream with its raw events.
    """

    def __init__(
        self, port: int, request_id: str, dialect: Dialect | None = None, version: str = "1.1"
    ) -> None:
        self.request_id = request_id
        self._dialect = dialect
        self.stream: Stream = open_stream(
            port,
            f"/api/sse/stream?request_id={request_id}",
            version=version,
            lone_ids=True,
        )

    def __enter__(self) -> Self:
        """Return the open stream."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the stream."""
        self.stream.close()

    @property
    def messages(self) -> list[Message]:
        """All events so far."""
        return self._read_all(self.stream.events)

    def wait_for(self, name: str) -> Any:
        """Wait for the next event with this name, and return its data."""
        return self.collect_until(lambda message: message.name == name)[-1].data

    def next(self) -> Message:
        """Wait for the next event, and return it."""
        return self.collect_until(lambda _: True)[-1]

    def collect_until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Wait for an event, and return all events from the end of the last wait to that event."""

        def is_wanted(event: SSEEvent) -> bool:
            message = self._read(event)
            return message is not None and wanted(message)

        return self._read_all(self.stream.collect_until(is_wanted))

    def task_story(self, task_id: str) -> list[dict[str, Any]]:
        """Wait for the last event of a task, and return the data of all its events."""

        def is_last(message: Message) -> bool:
            return (
                message.name == "task_event"
                and message.data["task_id"] == task_id
                and message.data["event_type"]
                in ("task_completed", "task_failed", "task_cancelled")
            )

        self.collect_until(is_last)
        return [
            message.data
            for message in self.messages
            if message.name == "task_event" and message.data["task_id"] == task_id
        ]

    def _read_all(self, events: list[SSEEvent]) -> list[Message]:
        return [message for message in map(self._read, events) if message is not None]

    def _read(self, event: SSEEvent) -> Message | None:
        """Return the message of an event; None for ``ready`` of the envelope dialect."""
        is_ready = (event.type, event.data) == _READY  # with a log, an id came before it
        is_envelope = event.type == "message" or is_ready
        dialect = Dialect.ENVELOPE if is_envelope else Dialect.NAMED
        if self._dialect is None:
            self._dialect = dialect
        if dialect is not self._dialect:
            raise WrongDialect(f"{event} is {dialect}, not {self._dialect}")
        if is_ready:
            return None
        data = json.loads(event.data)
        if dialect is Dialect.NAMED:
            return Message(event.type, data)
        if list(data) != ["type", "payload"]:
            raise WrongDialect(f"{event} is not an envelope")
        return Message(data["type"], data["payload"])


def kinds_of(story: list[dict[str, Any]]) -> list[str]:
    """Return the types of a task's events."""
    return [event["event_type"] for event in story]
