"""The counts of the metrics as plain numbers, for readers inside of the process.

To read a metric object back, the whole registry has to be collected, which takes about a
millisecond. These numbers cost one addition each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.services.connections.send_outcome import SendOutcome
from app.services.connections.service_type import ServiceType

__all__ = ["MetricsTotals"]


@dataclass(slots=True)
class MetricsTotals:
    """Counts since the application was made, except those of "now".

    The samples that the operations page gets are not counted: an idle server shows zero.

    Args:
        streams: the streams that are registered now.
        opened: the streams that have connected.
        closed: the streams that have disconnected.
        events: the events that were sent; a broadcast counts once.
        deliveries: the events that streams took; a broadcast counts once for each stream.
        broadcasts: the broadcasts.
        broadcast_seconds: the duration of all broadcasts together, seconds.
        longest_broadcast: the longest broadcast since the last :meth:`take`, seconds.
        appends_failed: the events that the log did not take.
        tasks_running: the tasks that run now.
        tasks_waiting: the tasks that wait for a slot now.
    """

    streams: int = 0
    opened: int = 0
    closed: int = 0
    events: int = 0
    deliveries: int = 0
    broadcasts: int = 0
    broadcast_seconds: float = 0.0
    longest_broadcast: float = 0.0
    appends_failed: int = 0
    tasks_running: int = 0
    tasks_waiting: int = 0

    def event_sent(self, service: str, status: str) -> None:
        """Count one send, to one stream or to all.

        Args:
            service: the service that sent: the value of a :class:`ServiceType`.
            status: the value of a :class:`SendOutcome`.
        """
        if service == ServiceType.OPERATIONS:
            return
        self.events += 1
        if status == SendOutcome.SUCCESS:
            self.deliveries += 1

    def broadcast_finished(self, streams: int, seconds: float) -> None:
        """Count one broadcast. :meth:`event_sent` is called for it, too.

        Args:
            streams: the number of streams that took the event.
            seconds: its duration.
        """
        self.broadcasts += 1
        self.broadcast_seconds += seconds
        self.longest_broadcast = max(self.longest_broadcast, seconds)
        if streams:
            self.deliveries += streams - 1  # event_sent counts the broadcast as one delivery

    def take(self) -> MetricsTotals:
        """Return a copy, and begin to look for the longest broadcast again. For one reader only."""
        taken = replace(self)
        self.longest_broadcast = 0.0
        return taken
