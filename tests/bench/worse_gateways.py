"""Gateways and connection managers that do too much, which prove that the guards can fail."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import gevent

from app.services.connection_manager import ConnectionManager
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.gateway import BroadcastResult, Gateway
from gateway_shim.streams.sending.encoded_events import EncodedEvents


class LogsEachStream(Gateway):
    """A gateway that writes a log line for each stream."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Log each stream, then broadcast."""
        for token in tokens:
            logging.getLogger("worse").debug("sending to %s", token)
        return super().broadcast(tokens, event)


class EncodesForEachStream(Gateway):
    """A gateway that encodes the event for each stream."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Broadcast to one stream after the other, and remember no encoded event."""
        for token in tokens:
            self._encode = EncodedEvents(self.config.dialect)
            super().broadcast([token], event)
        return BroadcastResult(len(tokens), ())


class SendsTwice(Gateway):
    """A gateway that sends an event in two pieces."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Broadcast the name, then the data."""
        super().broadcast(tokens, Event(event.name, ""))
        return super().broadcast(tokens, event)


class AsksEachSocket(Gateway):
    """A gateway that calls a method of each socket before it sends."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Call a method of each socket, then broadcast."""
        for connection in self._streams.by_token.values():
            connection._sock.fileno()
        return super().broadcast(tokens, event)


class GreenletForEachStream(Gateway):
    """A gateway that uses a greenlet for each stream."""

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Spawn a greenlet for each stream, and wait for all of them."""
        gevent.joinall([gevent.spawn(self.send, token, event) for token in tokens])
        return BroadcastResult(len(tokens), ())


class RemembersEverything(Gateway):
    """A gateway that remembers each delivery."""

    notes: list[tuple[str, Event]]

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Remember each delivery, then broadcast."""
        self.notes = getattr(self, "notes", [])
        self.notes += [(token, event) for token in tokens]
        return super().broadcast(tokens, event)


class KeepsTheHeaders(Gateway):
    """A gateway that keeps the request of each stream."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.requests: list[object] = []

    def open(self, request: object, sock: object) -> object:  # type: ignore[override]
        """Keep a copy of the request, then open the stream."""
        self.requests.append([{name: [text] for name, text in request.headers.items()}])  # type: ignore[attr-defined]
        return super().open(request, sock)  # type: ignore[arg-type]


class CountsEachStream(ConnectionManager):
    """A connection manager that reports each delivery to the metrics."""

    def send_event(self, *args: object) -> bool:
        """Report each delivery, then send."""
        for _ in self._registry.tokens():
            self._metrics.event_sent("task", "success", 0.0)
        return super().send_event(*args)  # type: ignore[arg-type]
