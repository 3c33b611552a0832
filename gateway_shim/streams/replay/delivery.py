"""Delivers the log's entries to the streams of this process, one after the other.

Theory of operation
===================

Each process of a server delivers the same entries in the same order. ``completed`` is the position
up to which this process has done so. One entry is delivered at a time, in a broadcast's turn, by
whoever needs it first: the greenlet that has published it, or the follower, which is woken when
another process has appended. An entry of the audience NOTES is for the process, and for no stream.

A stream is *live* if it has no backlog: then it has got all of its entries up to ``completed``, and
perhaps the one in delivery. A stream with a backlog reads the log itself, and the delivery passes
it over. It becomes live again only where its own position is ``completed`` and no delivery is going
on. Until then it waits among the *joiners*: also a stream that is ahead, whose browser comes from a
process that is faster than this one.

What may never happen:

- A stream becomes live in the middle of a delivery: the delivery may have passed it already.
- A delivery begins again or is dropped because its greenlet was killed. The streams that are left
  are kept in a :class:`~gateway_shim.streams.replay.delivery_pass.DeliveryPass`, and whoever has
  the next turn goes on with it.
- A heartbeat names a position that its stream has not got: so heartbeats are written in a
  broadcast's turn, and name ``completed``.
- A stream goes on over a loss untold: it gets ``resync``, and goes on at the newest entry.
"""

from __future__ import annotations

from collections.abc import Container

import gevent
from gevent.event import Event as Signal

from gateway_shim.event_log.audience import NOTES
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.log import Log
from gateway_shim.event_log.segment import Run
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Dialect, Frame
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.peers.note_reader import NoteReader, read_notes
from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.delivery_pass import DeliveryPass
from gateway_shim.streams.replay.endless import repeat
from gateway_shim.streams.replay.joiners import Joiners
from gateway_shim.streams.replay.losses import put_behind, restart_all
from gateway_shim.streams.replay.marks import Marks, Resync
from gateway_shim.streams.replay.pump import Pump
from gateway_shim.streams.sending.broadcast_turn import BroadcastTurn
from gateway_shim.streams.sending.delivered_counts import DeliveredCounts
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Delivery"]


class Delivery:
    """The delivery of one process. Its streams are cursors into the log.

    Args:
        log: the log.
        streams: the streams of this process.
        turn: the turn of broadcasts.
        stats: counts resyncs.
        dialect: the way in which named events are written.
        notes: gets the entries that are for this process.

    Attributes:
        completed: the position up to which this process has delivered all entries.
        publishers: the publishers that will deliver what they have appended.
        counts: to how many streams the publishers' entries were delivered.
        pump: writes to the streams that are behind.
        joiners: the streams that are caught up and wait to become live.
    """

    def __init__(
        self,
        log: Log,
        streams: Streams,
        turn: BroadcastTurn,
        stats: GatewayStats,
        dialect: Dialect,
        notes: NoteReader,
    ) -> None:
        self.completed = log.newest
        self._epoch = log.epoch
        self._log = log
        self._streams = streams
        self._turn = turn
        self._stats = stats
        self._notes = notes
        self._marks = Marks(dialect)
        # The position of the last entry that all live streams have got.
        self._last_for_everyone = -1
        self._pass: DeliveryPass | None = None
        self.pump = Pump(streams.fail, self._join)
        self.joiners = Joiners(self.pump.add)
        self.publishers = 0
        self.counts = DeliveredCounts(stats)
        self._has_news = False  # the log has told of a change, and nobody has read it since
        self._wake = Signal()
        log.listen(self)
        log.completed(self.completed)  # from now on, the others count on this process
        streams.log = self

    @property
    def newest(self) -> int:
        """The position of the newest entry; -1 between a new epoch and :meth:`_restart`."""
        return self._log.newest if self._log.epoch == self._epoch else -1

    @property
    def cursor(self) -> Cursor:
        """The cursor of what this process has completed."""
        return Cursor(self._epoch, self.completed)

    def run(self, after: int, audiences: Container[str], limit: int, written: int) -> Run | None:
        """Return what a stream gets next (:meth:`gateway_shim.event_log.log.Log.run`).

        Nothing between a new epoch and :meth:`_restart`: the streams' positions are of the old one.
        """
        if self._log.epoch != self._epoch:
            return Run(memoryview(b""), after)
        return self._log.run(after, audiences, limit, written)

    def has(self, position: int) -> bool:
        """Return True if an entry of the epoch that the streams follow can still be read."""
        return self._log.epoch == self._epoch and position >= self._log.oldest

    def start(self) -> list[gevent.Greenlet[..., None]]:
        """Start to deliver and to write to streams that are behind; return the greenlets."""
        return [gevent.spawn(repeat, self._follow), gevent.spawn(repeat, self.pump.run)]

    def _follow(self) -> None:
        """Deliver what nobody here has published, without end."""
        while True:
            self._wake.wait()
            while self._has_news or self._is_behind:
                with self._turn:
                    if not self.deliver_next():
                        break
                let_others_run_if_due()
            if not self._has_news:  # not earlier: after an error, this goes on at once
                self._wake.clear()

    # ------------------------------------------------------------------ streams

    def look_for_new_epoch(self) -> None:
        """Tell all streams if a new epoch has begun. Call this before a stream opens."""
        self._log.read(self.completed, 0)  # a read finds the new epoch
        if self._log.epoch != self._epoch:
            with self._turn:
                if self._log.epoch != self._epoch:
                    self._restart()

    @property
    def is_idle(self) -> bool:
        """True if no entry is being delivered."""
        return self._pass is None

    def place_of(self, connection: Connection) -> int:
        """Return the position up to which a live stream has got all of its entries."""
        current = self._pass
        if current is not None and current.has_passed(connection):
            return current.position
        return self.completed

    def ready(self, connection: Connection) -> None:
        """Queue a stream that is behind, and whose client may take bytes. Allowed in the hub."""
        self.pump.add(connection)

    def heartbeat(self, connection: Connection) -> Frame:
        """Return the heartbeat of a live stream. Call this in a broadcast's turn only."""
        if self._pass is not None:
            # Its greenlet was killed. Some streams have got this entry, so `completed` is too old.
            return event_stream.HEARTBEAT
        if max(connection.told, self._last_for_everyone) >= self.completed:
            return event_stream.HEARTBEAT
        connection.told = self.completed
        return self._marks.heartbeat(self.cursor)

    def heartbeat_at(self, position: int) -> Frame:
        """Return a heartbeat that tells a position."""
        return self._marks.heartbeat(Cursor(self._epoch, position))

    def resync(self, reason: str) -> Frame:
        """Return the event for a stream that has missed events, and count it.

        Args:
            reason: a :class:`~gateway_shim.streams.replay.marks.Resync`.
        """
        self._stats.resyncs[reason] += 1
        # Not `completed`, which may have been trimmed while this process did not run.
        return self._marks.resync(reason, Cursor(self._epoch, max(self.newest, self.completed)))

    def lagging(self) -> Frame:
        """Return the event for a stream that has fallen off the log, and count it."""
        return self.resync(Resync.LAGGING)

    # ------------------------------------------------------------------ called by the log

    def appended(self) -> None:
        """Wake the follower, unless the caller is a publisher, which will deliver the entry.

        The hub calls for others' entries and new epochs; a publisher may wait to append meanwhile.
        """
        self._has_news = True
        if not self.publishers or gevent.getcurrent() is gevent.get_hub():
            self._wake.set()

    def published(self) -> None:
        """Leave to the follower what is left over. Call this after other work with the log."""
        if self.publishers:
            return
        self.counts.clear()
        if self._has_news or self._is_behind:
            self._wake.set()

    def trimming(self, through: int) -> None:
        """Copy half-written entries that are trimmed next."""
        copies: dict[int, bytes] = {}
        for connection in self._streams.behind:
            if isinstance(connection.backlog, Backlog):
                connection.backlog.save_frame(through, copies)

    @property
    def _is_behind(self) -> bool:
        return self._log.newest > self.completed or self._log.epoch != self._epoch

    def deliver_next(self) -> bool:
        """Deliver one event or some notes, or go on with what was interrupted. In the turn only.

        Returns:
            False if there was nothing to deliver.
        """
        if self._log.epoch != self._epoch:
            self._restart()
            return True
        if self._pass is None:
            self._has_news = False
            entries = self._log.read(self.completed, 1)
            if self._log.epoch != self._epoch:
                return True
            if entries is None:
                self._skip_trimmed()
                return True
            if not entries:
                return False
            if (entry := entries[0]).audience == NOTES:
                read_notes(self._log, self.completed, self._notes, self._complete)
                return True
            self._pass = DeliveryPass(entry, self._streams.audiences.members(entry.audience))
        (current := self._pass).go_on(self._streams)
        self._pass = None
        current.count(self._streams.totals)
        if current.for_everyone:
            self._last_for_everyone = current.position
        self._complete(current.position)
        self.counts.note(self.cursor, current, is_awaited=self.publishers > 0)
        return True

    def _complete(self, position: int) -> None:
        self.completed = position
        self._log.completed(position)
        if self.joiners:
            self.joiners.settle(position)

    def _skip_trimmed(self) -> None:
        """Go on at the newest entry, after entries that this process was too slow for.

        Each stream finds out from its own place what it has missed; one that is ahead: nothing.
        """
        put_behind(self._streams, self, self.pump)
        self._last_for_everyone = -1
        self._complete(self._log.newest)
        self._notes.notes_missed()

    def _restart(self) -> None:
        """Go on at the newest entry of a new epoch, and tell all streams. In the turn only."""
        self._pass = None
        self._epoch = self._log.epoch
        self._last_for_everyone = -1
        self.joiners.clear()
        self._complete(self._log.newest)
        event = self._marks.resync(Resync.UNKNOWN, self.cursor)
        self._stats.resyncs[Resync.UNKNOWN] += restart_all(self._streams, self, self.pump, event)
        self._notes.notes_missed()

    def _join(self, connection: Connection) -> None:
        """Make a stream live that is caught up, or let it wait among the joiners."""
        backlog = connection.backlog
        if not isinstance(backlog, Backlog):
            return
        if self.is_idle and backlog.position == self.completed:
            connection.go_live()
        else:
            self.joiners.add(connection)
