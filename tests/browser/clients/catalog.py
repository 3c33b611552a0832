"""The clients that others wrote, and what each gets after each fault."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["CLIENTS", "Client", "Outcome"]


class Outcome(Enum):
    """The events that a page has after a fault."""

    EVERYTHING = "every event once and in order"
    SKIPS = "all events, except those that were sent while the client was away"
    STOPS = "no event after the end of the stream: the client has given up"


class Client(NamedTuple):
    """A client, as one page uses it.

    Args:
        page: the name of its page in the folder ``pages``.
        reload: the outcome of a reload of the server.
        restart: the outcome of a restart, with one 502 from the proxy for each stream.
        cut: the outcome of a broken connection.
    """

    page: str
    reload: Outcome
    restart: Outcome
    cut: Outcome

    def after(self, fault: str) -> Outcome:
        """Return the outcome of a fault by its name: ``reload``, ``restart`` or ``cut``."""
        outcome: Outcome = getattr(self, fault)
        return outcome


_ALL, _SKIPS, _STOPS = Outcome

CLIENTS = (
    # A 502 closes an EventSource for good. A new one must begin after the last id.
    Client("eventsource-native", _ALL, _STOPS, _ALL),
    Client("eventsource-native-reopened", _ALL, _ALL, _ALL),
    Client("eventsource-package", _ALL, _STOPS, _ALL),
    Client("eventsource-package-reopened", _ALL, _ALL, _ALL),
    # After a 502 it sends the last id as lastEventId, which the server reads, too.
    Client("reconnecting-eventsource", _ALL, _ALL, _ALL),
    # It takes the end of a stream for the end of its work, and only errors for reconnects.
    Client("fetch-event-source", _STOPS, _STOPS, _ALL),
    Client("fetch-event-source-kept-open", _ALL, _ALL, _ALL),
    # After a 502 it makes a new EventSource, without the last id.
    Client("htmx-2", _ALL, _SKIPS, _ALL),
    Client("htmx-2-resuming", _ALL, _ALL, _ALL),
    Client("htmx-4", _ALL, _ALL, _ALL),
    # After every error it replaces the EventSource that was about to come back with its last id.
    Client("shared-worker", _SKIPS, _SKIPS, _SKIPS),
    Client("shared-worker-resuming", _ALL, _ALL, _ALL),
)
