"""One serving process: a gateway over a log, and the backend that it asks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import gevent

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.log import Log
from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.config import GatewayConfig
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.peers.note import Note, Role
from gateway_shim.streams.peers.peers import Peers
from tests.walks.checks.expected import FAREWELL, OWN
from tests.walks.checks.history import History
from tests.walks.machine.event_loop import ControlledLoop
from tests.walks.machine.visit import Visit

__all__ = ["HEARTBEAT_SECONDS", "Server"]

HEARTBEAT_SECONDS = 15.0
_DRAIN_SECONDS = 5.0
_URL = "/events?visit="


def note_text(number: int) -> str:
    """Return the text of a note."""
    return Note("nobody", Role.TOLD, "n", number).encode().decode()


class NotedPeers(Peers):
    """The peers of a gateway, which keep what they read.

    Args:
        gateway: the gateway.

    Attributes:
        read: the texts of the notes, as they were handled.
        since: all notes after this place must be read.
    """

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._gateway = gateway
        self.read: list[str] = []
        self.since = Cursor("", 0)
        self.when_told("n", lambda sender, number: self.read.append(note_text(number)))

    def notes_missed(self) -> None:
        """Note from which place on notes must be read."""
        cursor = Cursor.parse(self._gateway.last_event_id or "")
        assert cursor is not None
        self.since = cursor
        super().notes_missed()

    def fault(self, history: History, *, at_the_end: bool) -> str | None:
        """Return what is wrong with the notes that were read; None: nothing.

        Args:
            history: what was appended.
            at_the_end: True if nothing is left to be read.
        """
        places = {text: place for place, text in enumerate(history.notes)}
        order = [places.get(text, -1) for text in self.read]
        if order != sorted(set(order)) or -1 in order:
            return f"notes were read in a wrong order: {self.read}"
        missing = set(history.notes_after(self.since)) - set(self.read)
        return f"notes were not read: {sorted(missing)}" if missing and at_the_end else None


class Server:
    """A gateway, its log and its backend.

    Args:
        loop: the event loop.
        log: the gateway's log.
        retry_ms: the gateway's ``retry:``.
        tokens: makes the tokens of all servers.

    Attributes:
        gateway: the gateway.
        log: the log.
        visits: the streams that were asked for here, by number.
        publishers: the greenlets that publish.
        draining: the greenlet of the drain, once it was begun.
        peers: what the gateway has read of the notes.
    """

    configured = True

    def __init__(
        self, loop: ControlledLoop, log: Log, retry_ms: int | None, tokens: itertools.count[int]
    ) -> None:
        self.log = log
        self.visits: dict[int, Visit] = {}
        self.publishers: list[gevent.Greenlet[..., object]] = []
        self.draining: gevent.Greenlet[..., object] | None = None
        config = GatewayConfig(heartbeat_interval=HEARTBEAT_SECONDS, retry_ms=retry_ms)
        self.gateway = Gateway(
            self,
            config,
            clock=loop,
            new_token=lambda: f"t{next(tokens)}",
            open_log=lambda: log,
        )
        self.gateway.peers = self.peers = NotedPeers(self.gateway)
        self.gateway.start()
        self.peers.since = self.completed

    # ------------------------------------------------------------------ the backend

    def connect(self, payload: Mapping[str, Any]) -> CallbackAnswer | CallbackFailure:
        """Wait until the walk lets the backend answer."""
        number = payload["request"]["url"].removeprefix(_URL).partition("&")[0]
        visit = self.visits[int(number)]
        visit.token = payload["token"]
        visit.check.registered(self.completed)
        visit.gate.wait()
        return CallbackAnswer(visit.status, audiences=visit.audiences)

    def disconnect(self, payload: Mapping[str, Any], failed: Callable[[], None]) -> None:
        """Do nothing."""

    def flush(self, seconds: float) -> None:
        """Do nothing."""

    # ------------------------------------------------------------------ for the walk

    @property
    def completed(self) -> Cursor:
        """The newest entry that the gateway has delivered."""
        text = self.gateway.last_event_id
        assert text is not None
        cursor = Cursor.parse(text)
        assert cursor is not None
        return cursor

    def open(self, visit: Visit, text: str, by_header: bool) -> None:
        """Ask for a stream."""
        self.visits[visit.number] = visit
        visit.ask(self.gateway, f"{_URL}{visit.number}", text, by_header)

    def publish(self, data: str, audience: str) -> None:
        """Begin to publish an event."""
        event = Event(None, data)
        self.publishers.append(gevent.spawn(self.gateway.publish, event, audience))

    def note(self, number: int) -> None:
        """Begin to write a note. All processes read it, because none of them is its sender."""
        following = self.gateway._following
        assert following is not None
        text = note_text(number).encode()
        self.publishers.append(gevent.spawn(following._publisher.append_note, text))

    def send(self, visit: Visit, data: str) -> None:
        """Send an event to one stream alone."""
        visit.check.sent(data, self.completed)
        self.gateway.send(visit.token, Event(OWN, data))

    def drain(self) -> None:
        """Begin to end all streams."""
        completed = self.completed
        for visit in self.visits.values():
            visit.check.ends(completed, farewell=True)
        farewell = Event(FAREWELL, "1")
        self.draining = gevent.spawn(self.gateway.drain, farewell, _DRAIN_SECONDS)

    def stop(self) -> None:
        """End the process at once."""
        greenlets = [*self.publishers, *(visit.opening for visit in self.visits.values())]
        if self.draining is not None:
            greenlets.append(self.draining)
        gevent.killall(greenlets)
        self.gateway.stop()
        self.log.close()
