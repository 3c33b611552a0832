"""The copy of another log in files: the log of one server among many that share an engine.

The engine orders the events, and one process of the server copies them here. The copy has the
engine's epochs and positions, so a browser's cursor is good on every server.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import gevent
from gevent.hub import get_hub

from gateway_shim.errors import LogMoved
from gateway_shim.event_log.segments import files
from gateway_shim.event_log.segments.members import LAG_ENTRIES, STUCK_SECONDS
from gateway_shim.event_log.segments.segment_log import SegmentLog

__all__ = ["CarriedLog"]

_PAUSE = 0.001


class CarriedLog(SegmentLog):
    """The log in files whose entries are copied from another log (:class:`SegmentLog`).

    All processes of the server read it. Only the carrier calls :meth:`begin` and :meth:`copy`, and
    nobody calls :meth:`append`. Until the first :meth:`begin`, the log has an epoch without events.

    For a moment there can be two carriers: one that was stopped, and the one that has taken its
    place. So both methods look under the lock of the log whether the copy is still where their
    caller has seen it. What one of the two has decided before the other one copied is not done.
    """

    _delivered: int | None = None
    _delivered_at = 0.0
    _told: int | None = None

    @property
    def is_ending(self) -> bool:
        """True if another epoch, or the same one after a gap, is about to be opened here."""
        return self._must_open_again

    def completed(self, position: int) -> None:
        """Note what this process has delivered (:meth:`Log.completed`)."""
        self._delivered, self._delivered_at = position, time.monotonic()
        super().completed(position)

    def begin(self, epoch: str, first: int, here: tuple[str, int] | None = None) -> None:
        """Begin an epoch of the other log, or go on with the same one after a gap.

        Args:
            epoch: the name of the epoch.
            first: the position before the first entry that will be copied. After a gap it must be
                larger by two at least than the newest one here, or streams would not notice.
            here: the epoch and the newest position that the copy must have; None: any.

        Raises:
            LogMoved: the copy is somewhere else. Nothing was begun.
            LogUnavailable: the files could not be made, or another process keeps the lock.
        """
        self._lock.reopen()
        self._lock.acquire()
        try:
            if here is not None:
                self._check_place(here)
            self._opening.begin(epoch, first)
            self._open_again()
        finally:
            self._lock.release()
        self._delivered = None
        self._tell_soon()

    def copy(self, epoch: str, after: int, events: Sequence[tuple[str, bytes]]) -> None:
        """Append copies of entries. May let other greenlets run before that.

        Waits as long as this or another process of the server is far behind and goes on.

        Args:
            epoch: the epoch of the entries.
            after: the position before the first of them, which must be the newest one here.
            events: the audience and the bytes of each, as for :meth:`Log.append`.

        Raises:
            LogMoved: the log is not where the caller believes. Nothing was appended.
            LogUnavailable: not all entries could be appended; see :attr:`newest`.
        """
        self._wait_for_own_streams()
        self._members.wait_for_slow(self._epoch.head, lambda: self._epoch.segments.newest)
        if self._must_open_again:
            self._lock.reopen()
        self._lock.acquire()
        try:
            self._check_place((epoch, after))
            now = self._clock()
            for audience, event in events:
                self._epoch.append(audience, event, self._limits, now, self._trimming)
        except FileNotFoundError as error:
            self._trouble = "its files were removed"
            raise files.unavailable(error, self._directory) from error
        except OSError as error:
            raise files.unavailable(error, self._directory) from error
        finally:
            self._lock.release()
            self._members.wake(self._epoch.head)
            self._tell_soon()
        self._drop_trimmed()

    def _check_place(self, expected: tuple[str, int]) -> None:
        """Check where the copy is. Call it with the lock held.

        Raises:
            LogMoved: it is somewhere else.
        """
        self._follow()
        if self._must_open_again:
            self._open_again()
        if (self._epoch.name, self._epoch.segments.newest) != expected:
            raise LogMoved("the log on this server was continued or begun anew by another process")

    def _wait_for_own_streams(self) -> None:
        """Wait while this process is far behind with its own streams, and goes on."""
        while (
            self._delivered is not None
            and self._epoch.segments.newest - self._delivered > LAG_ENTRIES
            and time.monotonic() - self._delivered_at < STUCK_SECONDS
        ):
            gevent.sleep(_PAUSE)

    def _tell(self) -> None:
        """Tell the listener of each change once, also if this process has read the entries."""
        word = self._epoch.head.word
        if self._listener is not None and (word != self._told or self._must_open_again):
            self._told = word
            self._listener.appended()

    def _tell_soon(self) -> None:
        """Tell the listener in the hub: it must not take the copier for one who delivers."""
        get_hub().loop.run_callback(self._tell)
