"""Starts streams where their browsers stopped, and tells the browser where that is."""

from __future__ import annotations

from gateway_shim.event_log.log import Log
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay.backlog import Backlog
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.replay.marks import Resync
from gateway_shim.streams.replay.start import Start, requested_cursor
from gateway_shim.streams.sending.tally import tally

__all__ = ["Resumption"]

_FIRST_BYTES = 32 * 1024
"""The bytes of missed events that are written together with the head, at most: a hundred usual
events. A stream that has missed more costs a quarter more, because it must catch up afterwards."""

_FIRST_RUNS = 64
"""The runs of missed events among these bytes, at most. Entries for others lie between them."""


class Resumption:
    """Starts streams at a place in the log.

    Args:
        log: the log.
        delivery: delivers the log's entries to the streams.
    """

    def __init__(self, log: Log, delivery: Delivery) -> None:
        self._log = log
        self._delivery = delivery

    def start_of(self, request: StreamRequest) -> Start:
        """Return where a stream starts. Call this before its backend is asked.

        So a stream that names no cursor also gets what is published while its backend is asked.

        Args:
            request: the browser's request.
        """
        self._delivery.look_for_new_epoch()
        epoch, completed = self._delivery.cursor
        wanted = requested_cursor(request)
        if not wanted.text:
            # `completed` may have been trimmed while this process did not run.
            return Start(epoch, max(completed, self._log.oldest))
        cursor, resync = wanted.cursor, None
        is_known = cursor is not None and self._log.reaches(cursor)
        if is_known and cursor is not None and cursor.epoch != epoch:
            # A new epoch, which another server has noticed first, has arrived meanwhile.
            self._delivery.look_for_new_epoch()
            epoch, completed = self._delivery.cursor
        if cursor is None or not is_known or cursor.epoch != epoch:
            return Start(epoch, completed, Resync.UNKNOWN)
        if cursor.position < self._log.oldest:
            resync = Resync.TOO_OLD
        return Start(epoch, cursor.position, resync)

    def open(self, connection: Connection, start: Start, head: bytes, then: list[bytes]) -> None:
        """Write the first bytes of a stream, and let it catch up or join the live streams.

        Args:
            connection: the connection; its stream is OPEN and has its audiences.
            start: where the stream starts.
            head: the head of the answer.
            then: what comes after the replay and before live events.

        Raises:
            ClientGone: the kernel refused the bytes.
            OutboxFull: ``then`` is more than the stream may hold back.
        """
        stream, delivery = connection.stream, self._delivery
        position, resync = start.position, self._resync_of(start)
        if start.epoch != delivery.cursor.epoch:
            position = delivery.completed
        if resync is not None:
            position = max(delivery.newest, delivery.completed)
            event = delivery.resync(resync)
            stream.sent += tally(event)
            head += stream.event_bytes(event)
        else:
            # Also if the browser has named it: by the letter of the standard each stream begins
            # with an empty last event id, and a first event without an id would make it stay empty.
            head += stream.bytes_of(delivery.heartbeat_at(position))
        connection.told = position
        if position != delivery.completed and stream.takes_chunks:
            missed, position = self._first_of_missed(connection, position)
            head += missed
        if position == delivery.completed and delivery.is_idle:
            connection.open(head + b"".join(then))
            return
        backlog = Backlog(delivery, stream, position)
        backlog.put_first(head)
        for data in then:
            backlog.put(data)
        connection.set_backlog(backlog)
        delivery.pump.write(connection)

    def _first_of_missed(self, connection: Connection, position: int) -> tuple[bytes, int]:
        """Return what a stream gets next, and where it is then.

        Most browsers have missed little: so they cost one write instead of several, and no backlog.
        """
        runs, completed = [], self._delivery.completed
        # What the kernel does not take counts against the limit of the stream.
        room = min(_FIRST_BYTES, connection.stream.limit // 2)
        for _ in range(_FIRST_RUNS):
            if position == completed:
                break
            run = self._delivery.run(position, connection.stream.audiences, room, 0)
            if run is None or run.end == position or len(run.data) > room:
                break
            before_run, _ = run.place(0)
            # Entries for others are no reason to be ahead, and to wait for the delivery.
            position = run.end if run.data else min(run.end, max(completed, position))
            if run.data:
                connection.stream.sent += complex(position - before_run, len(run.data))
                runs.append(run.data)
                room -= len(run.data)
                connection.told = position
        return b"".join(runs), position

    def _resync_of(self, start: Start) -> str | None:
        """Return why a stream cannot start as was decided before its backend was asked."""
        if start.epoch != self._delivery.cursor.epoch:
            return Resync.UNKNOWN  # also without a cursor: events since the request are lost
        if start.resync is None and start.position < self._log.oldest - 1:
            return Resync.TOO_OLD
        return start.resync
