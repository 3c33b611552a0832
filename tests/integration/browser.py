"""A browser's view of a stream: named events with JSON data, whatever the wire dialect."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from gateway_shim.protocol.event_stream import Dialect
from tests.support.http.sse_parser import SSEEvent
from tests.support.http.stream import Stream, open_stream

__all__ = ["Browser", "Message", "WrongDialect"]


_READY = SSEEvent("ready", "")


class WrongDialect(AssertionError):
    """An event is written in another dialect than the stream's others, or than was said."""


@dataclass(frozen=True)
class Message:
    """One event: its name, and its data as parsed JSON."""

    name: str
    data: Any


class Browser:
    """A context manager: an open stream.

    Args:
        port: the gateway's, or the monolith's.
        request_id: the browser's id for its stream.
        dialect: what the gateway speaks; None: whatever the first event shows.
        version: of HTTP.
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
        )

    def __enter__(self) -> Self:
        """Use as a context manager: closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.stream.close()

    @property
    def messages(self) -> list[Message]:
        """Every event so far."""
        return self._read_all(self.stream.events)

    def wait_for(self, name: str) -> Any:
        """The next event of this name: its data."""
        return self.collect_until(lambda message: message.name == name)[-1].data

    def next(self) -> Message:
        """The next event, whatever it is."""
        return self.collect_until(lambda _: True)[-1]

    def collect_until(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """The events from where the last wait stopped, up to and with the wanted one."""

        def is_wanted(event: SSEEvent) -> bool:
            message = self._read(event)
            return message is not None and wanted(message)

        return self._read_all(self.stream.collect_until(is_wanted))

    def task_story(self, task_id: str) -> list[dict[str, Any]]:
        """Wait for a task's terminal event, and return all events of that task so far."""

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
        """What an event says; None for the envelope dialect's ``ready``, which says nothing."""
        is_envelope = event.type == "message" or event == _READY
        dialect = Dialect.ENVELOPE if is_envelope else Dialect.NAMED
        if self._dialect is None:
            self._dialect = dialect
        if dialect is not self._dialect:
            raise WrongDialect(f"{event} is {dialect}, not {self._dialect}")
        if event == _READY:
            return None
        data = json.loads(event.data)
        if dialect is Dialect.NAMED:
            return Message(event.type, data)
        if list(data) != ["type", "payload"]:
            raise WrongDialect(f"{event} is no envelope")
        return Message(data["type"], data["payload"])
