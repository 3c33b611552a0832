"""The backlog of one stream that is behind: where it is in the log, and bytes of its own. Pure.

A stream that is caught up has no backlog. A stream gets one when the kernel does not take all of an
entry, or when it opens with an old cursor. What waits is then a place in the log, not a copy of
what follows it, so it costs the same however far behind the stream is.

Bytes that belong to this stream alone (a send to its token, a farewell) are kept as copies, each
with the position of the entry that comes before it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Protocol

from gateway_shim.errors import OutboxFull
from gateway_shim.event_log.segment import Run
from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import Frame
from gateway_shim.protocol.stream import Stream
from gateway_shim.streams.replay.joined_runs import data_of, join, place_after
from gateway_shim.streams.sending.tally import tally

__all__ = ["SEND_BYTES", "Backlog", "BacklogLog"]

SEND_BYTES = 128 * 1024
"""The bytes of the log that one ``send`` gets at most; one longer entry is sent whole."""


class BacklogLog(Protocol):
    """The log as a backlog sees it."""

    @property
    def completed(self) -> int:
        """The position up to which this process has delivered all entries."""
        ...

    @property
    def newest(self) -> int:
        """The position of the newest entry."""
        ...

    def run(self, after: int, audiences: Container[str], limit: int, written: int) -> Run | None:
        """Return what a stream gets next (:meth:`gateway_shim.event_log.log.Log.run`)."""
        ...

    def lagging(self) -> Frame:
        """Return the event for a stream that has fallen off the log, and count it."""
        ...


class Backlog:
    """The bytes and entries that wait for the client of one stream.

    Args:
        log: the log.
        stream: the stream.
        position: the entries up to it are done.
        written: the bytes that were written of the next entry.

    Attributes:
        position: the entries up to it are done.
        written: the bytes that were written of the next entry. While it is not 0, that entry is
            one of this stream's.
        size: the bytes of the stream's own.
        told: the position of the last entry whose id was written; -1 if there is none.
    """

    __slots__ = (
        "_begun",
        "_final",
        "_log",
        "_own",
        "_own_written",
        "_resync",
        "_runs",
        "_stream",
        "position",
        "size",
        "told",
        "written",
    )

    def __init__(self, log: BacklogLog, stream: Stream, position: int, written: int = 0) -> None:
        self.position = position
        self.written = written
        self.size = 0
        self.told = -1
        self._log = log
        self._stream = stream
        # The stream's own bytes, each with the position of the entry before it. A list, because an
        # empty deque takes 600 bytes.
        self._own: list[tuple[int, bytes | memoryview]] | None = None
        self._own_written = 0  # bytes of the first piece that the kernel has taken
        # Nothing may come before the first piece: it is the rest of something, or the head.
        self._begun = False
        # The last resync that was put among the pieces.
        self._resync: bytes | None = None
        self._final = False  # the last bytes of the stream are among its own
        # The runs of the last head(), until advance().
        self._runs: list[Run] | None = None

    # ------------------------------------------------------------------ what waits

    @property
    def caught_up(self) -> bool:
        """True if nothing is left to write."""
        if self._own or self.written:
            return False
        return self._final or self.position >= self._log.newest

    @property
    def events_behind(self) -> int:
        """The entries that follow the position, those for other streams included."""
        return max(self._log.newest - self.position, 0)

    def put(self, data: bytes | memoryview, *, final: bool = False) -> None:
        """Append bytes of the stream's own, after all that was delivered before.

        Args:
            data: the bytes.
            final: True for the last bytes of the stream. They always fit.

        Raises:
            OutboxFull: the stream's own bytes would be more than its limit; nothing was appended.
        """
        if self.size + len(data) > self._stream.limit and not final:
            raise OutboxFull
        self._insert(len(self._own or ()), self._log.completed, data)
        self._final |= final

    def put_first(self, data: bytes | memoryview) -> None:
        """Put bytes of the stream's own before all else, now and later. They always fit."""
        self._insert(0, self.position, data)
        self._begun = True

    def put_rest(self, data: bytes | memoryview, *, final: bool = False) -> None:
        """Put the rest of bytes that the kernel did not take whole, like :meth:`put`."""
        self.put(data, final=final)
        self._begun = True

    def clear(self) -> None:
        """Remove all of the stream's own bytes. They will not be written."""
        for _, piece in self._own or ():
            self._stream.budget.release(piece)
        self._stream.budget.waiting -= self.size
        self._own, self.size, self._own_written, self._begun = None, 0, 0, False

    # ------------------------------------------------------------------ writing

    def head(self) -> memoryview:
        """Return the bytes to write next.

        Call :meth:`advance` with the number of bytes that were written. No bytes: the stream is
        caught up (:attr:`caught_up`), or many entries for others were passed over.
        """
        while True:
            own = self._own
            if own and not self.written and own[0][0] <= self.position:
                if len(own[0][1]):
                    return memoryview(own[0][1])[self._own_written :]
                self._drop_first()
                continue
            if self._final and not own:
                return memoryview(b"")
            chunks = self._stream.takes_chunks
            run = self._run_after(self.position, SEND_BYTES if chunks else 1, self.written)
            if run is None:
                self._fall_off()
                continue
            if not run.data:
                self.position = run.end
                if own and own[0][0] <= self.position:
                    continue
                return run.data
            if not chunks:
                self._rewrite(run)
                continue
            self._runs = join(run, self._run_after)
            return data_of(self._runs)

    def advance(self, count: int) -> None:
        """Note that the kernel has taken the first bytes of the head.

        Args:
            count: the number of bytes.
        """
        runs, self._runs = self._runs, None
        if runs is not None:
            self.position, self.written, done = place_after(runs, count)
            self._stream.sent += complex(done, count)
            if done:
                self.told = self.position
            return
        if self._own is None:
            return
        self.size -= count
        self._stream.budget.waiting -= count
        self._own_written += count
        if self._own_written == len(self._own[0][1]):
            self._drop_first()

    # ------------------------------------------------------------------ changes of the log

    def save_frame(self, through: int, copies: dict[int, bytes]) -> None:
        """Copy a half-written entry that is trimmed next, and keep its rest.

        Without it, the next bytes would be written into the middle of the entry. All streams that
        have stalled in one entry share one copy: an entry may have 256 KiB, and thousands of
        clients may stall in it.

        Args:
            through: the position up to which entries are trimmed.
            copies: the copies that other streams have made, by the entry's position.
        """
        if not self.written or self.position >= through:
            return
        run = self._log.run(self.position, self._stream.audiences, 0, 0)
        if run is None:
            raise AssertionError("a half-written entry was trimmed")
        if run.end not in copies:
            copies[run.end] = bytes(run.data)
        written = self.written
        self.position, self.written = run.end, 0
        self.told = self.position
        self._insert(0, self.position, copies[run.end])
        # The whole entry, of which the kernel has taken a part: a view of the rest would be larger
        # than the rest of most entries.
        self._own_written = written
        self._stream.sent += complex(1, len(copies[run.end]) - written)
        self.size -= written
        self._stream.budget.waiting -= written
        self._begun = True

    def restart(self, event: Frame | None) -> None:
        """Go on at the newest entry of a new epoch.

        Args:
            event: the event that says so, written before all else that waits. None: the stream
                gets only its last bytes.
        """
        position = self._log.completed
        if self._own:
            self._own = [(position, data) for _, data in self._own]
        self._runs = None
        if event is None:
            self.position, self.written = position, 0
        else:
            self._move(event, position)

    # ------------------------------------------------------------------ private

    def _run_after(self, position: int, limit: int, written: int = 0) -> Run | None:
        run = self._log.run(position, self._stream.audiences, limit, written)
        if run is None or not self._own:
            return run
        # The stream's own bytes come next, but never inside of an entry.
        return run.until(max(self._own[0][0], position + 1) if written else self._own[0][0])

    def _rewrite(self, run: Run) -> None:
        """Make one entry the stream's own bytes, in the form that the stream needs."""
        data = self._stream.event_bytes(event_stream.frame_of_chunk(bytes(run.data)))
        self._stream.sent += complex(1, len(run.data))
        self.position = self.told = run.end
        self.put_first(data)  # a resync must not come before it: it is older

    def _fall_off(self) -> None:
        """Go on at the newest entry: those that follow this stream's position were trimmed."""
        self._move(self._log.lagging(), max(self._log.newest, self._log.completed))

    def _move(self, event: Frame, position: int) -> None:
        self.position = self.told = position
        self.written = 0
        index = 1 if self._begun or self._own_written else 0
        for place, (_, piece) in enumerate(self._own or ()):
            if piece is self._resync:
                index = place + 1  # two epochs have begun since the last byte was written
        self._resync = self._stream.event_bytes(event)
        self._stream.sent += tally(event)
        self._insert(index, position, self._resync)

    def _insert(self, index: int, after: int, data: bytes | memoryview) -> None:
        if self._own is None:
            self._own = []
        self._own.insert(index, (after, data))
        self.size += len(data)
        self._stream.budget.hold(data)
        self._stream.budget.waiting += len(data)

    def _drop_first(self) -> None:
        if self._own:
            self._stream.budget.release(self._own.pop(0)[1])
        self._own_written, self._begun = 0, False
        if not self._own:
            self._own = None
