"""The carrier: copies the entries of Redis into the log of this server.

One process of a server is the carrier, for as long as it has the lock. It copies from the newest
entry here, in batches, and looks at least every few seconds whether Redis still has that entry.

A carrier that hangs loses the lock: another process sees that Redis has entries that do not arrive
(:class:`~gateway_shim.event_log.brokers.hang_watch.HangWatch`). The first one does not know that,
and may go on anywhere in this module, with what it knew before. It cannot harm the copy:

- entries are appended, and a copy is begun, only at the place that was seen before (CarriedLog);
- what a look at Redis means is decided only if the copy has not moved since (_settle);
- an epoch in Redis is ended only if it is still the one in use there (RedisStream.begin);
- a mark of an older entry is not used (CarriedMark).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import gevent

from gateway_shim.errors import BusRefused, LogDamaged, LogMoved, LogUnavailable
from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.brokers.carried_mark import Carried, CarriedMark
from gateway_shim.event_log.brokers.carrier_lock import CarrierLock
from gateway_shim.event_log.brokers.hang_watch import HangWatch
from gateway_shim.event_log.brokers.redis.stream import RedisStream, StoredEntry, View
from gateway_shim.event_log.brokers.settlement import Next, Place, settle
from gateway_shim.event_log.segment import entry_bytes
from gateway_shim.event_loop.turns import let_others_run_if_due

__all__ = ["BLOCK_SECONDS", "SOCKET_SECONDS", "Carrier"]

logger = logging.getLogger(__name__)

BLOCK_SECONDS = 5.0
"""The longest wait for new entries, and the time between two looks at the stream."""

SOCKET_SECONDS = 8.0
"""The longest wait for an answer. It must be longer than the wait for entries."""

_BATCH = 64
"""The entries that are copied at once at most: about 2 ms of work."""

_BATCH_BYTES = 2 * 1024 * 1024
"""The bytes that are asked for at once, if the next entries are as large as the last ones."""

_LOCK_PAUSE = 0.1
_LOCK_LOOKS = 50
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_SWEEP_SECONDS = 60.0
_PRODUCER_SECONDS = 3600


class Carrier:
    """The copying of one process, which does nothing while another process of the server copies.

    Args:
        stream: the stream in Redis, over a connection of its own with SOCKET_SECONDS.
        log: the log of this server.
        directory: the directory of the log.
        server: the name of this server.
        signature: what the bytes of the entries depend on.
        misses_entries: returns True if Redis answers, and had entries some time ago that are not
            in the log of this server.

    Attributes:
        problem: the reason why this process could not copy when it last had the lock; None: it
            could, or another process copies.
        new_epochs: how often this process has begun the copy anew, after events were lost.
    """

    def __init__(
        self,
        stream: RedisStream,
        log: CarriedLog,
        directory: Path,
        server: str,
        signature: str,
        misses_entries: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stream = stream
        self._log = log
        self._server = server
        self._signature = signature
        self._misses_entries = misses_entries
        self._lock = CarrierLock(directory)
        self._mark = CarriedMark(directory)
        self._tag = ""
        self._batch = 8
        self._swept = 0.0
        self._was_settled = False
        self.problem: str | None = None
        self.new_epochs = 0

    @property
    def carries(self) -> bool:
        """True if this process copies."""
        return self._was_settled and self._lock.is_held

    def run(self) -> None:
        """Copy without end, whenever this process has the lock."""
        pause, waited, watch = _FIRST_PAUSE, 0, HangWatch()
        while True:
            self._was_settled = False
            try:
                if not self._lock.try_to_acquire():
                    waited += 1
                    if waited == _LOCK_LOOKS:
                        self.problem = None  # the other process can copy
                    if watch.look(self._lock.file, self._place(), self._misses_entries()):
                        logger.warning("the process that copied events hangs; this process copies")
                        self._lock.take_away()
                        continue
                    gevent.sleep(_LOCK_PAUSE)
                    continue
                self._mark.open()
                self._carry()
            except LogMoved:
                pass  # another process has copied, or has begun the log anew and has logged why
            except (LogUnavailable, LogDamaged, OSError) as exc:
                self._note(str(exc))
            # Perhaps another process of this server can do it.
            self.close()
            waited, watch, pause = 0, HangWatch(), _FIRST_PAUSE if self._was_settled else pause
            gevent.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def close(self) -> None:
        """Let another process copy. At the end, the greenlet of :meth:`run` must have ended."""
        self._stream.close()
        self._mark.close()
        self._lock.release()

    def _carry(self) -> None:
        """Copy until something fails.

        Raises:
            LogUnavailable: Redis or the log of this server cannot be used.
            LogMoved: the log of this server was continued or begun anew by another process.
            LogDamaged: the log of this server must be looked at again.
        """
        while self._lock.is_held:
            epoch, position = self._settle()
            until, is_fresh = time.monotonic() + BLOCK_SECONDS, True
            while (left := until - time.monotonic()) > 0:
                entries = self._stream.read(epoch, position, self._batch, max(left, 0.01))
                if not self._lock.is_held:
                    break
                copied = self._copy(epoch, position, entries)
                is_wrong = is_fresh and entries and not copied and not entries[0].is_end
                if is_wrong and not self._was_trimmed(epoch, position):
                    # Redis has the entry before, so looking again would find nothing new.
                    self._end(epoch, epoch, "an event in Redis does not follow the one before it")
                if not copied or copied < len(entries):
                    break
                position, is_fresh = position + copied, False
                let_others_run_if_due()

    def _copy(self, epoch: str, position: int, entries: list[StoredEntry]) -> int:
        """Copy the entries that follow what was copied before, and return their number."""
        tag, events = self._tag, []
        for expected, entry in enumerate(entries, position + 1):
            if entry.position != expected or entry.before != tag:
                break
            tag = entry.tag
            events.append((entry.audience, entry.event))
        if not events:
            return 0
        average = sum(len(event) for _, event in events) // len(events) + 1
        self._batch = min(max(_BATCH_BYTES // average, 1), _BATCH)
        self._log.copy(epoch, position, events)
        self._tag = tag
        self._mark.write(Carried(epoch, position + len(events), tag))
        return len(events)

    # ------------------------------------------------------------------------- looking

    def _settle(self) -> tuple[str, int]:
        """Find out how the copy goes on, and return the epoch and the position to copy after.

        Raises:
            LogMoved: another process has changed the copy meanwhile.
        """
        while True:
            here = self._here()
            view = self._look(here)
            same_bytes = here.tag is None and self._has_bytes_of(view)
            found = settle(here, view, self._signature, same_bytes=same_bytes)
            if self._place() != (here.epoch, here.position):
                raise LogMoved("another process has copied since the look at Redis")
            if found.next is Next.REFUSE:
                self._take_over(view)
            elif found.next is Next.END:
                self._end(view.epoch, here.epoch, found.reason)
            else:
                break
        if found.next is Next.COPY:
            if found.reason:
                self._warn(found.reason)
            logger.info("this server copies events from Redis", extra={"epoch": view.epoch})
            self.new_epochs += self._mark.last is not None
            self._log.begin(view.epoch, found.first, (here.epoch, here.position))
        self._tag = found.tag
        # Not the newest position now: another process may have copied, and the tag is not of it.
        position = found.first if found.next is Next.COPY else here.position
        place = Carried(view.epoch, position, found.tag)
        if self._mark.last != place:
            self._mark.write(place)
        self._was_settled = True
        if self.problem is not None:
            logger.info("this server copies events from Redis again")
            self.problem = None
        self._sweep()
        return place.epoch, place.position

    def _place(self) -> tuple[str, int]:
        self._log.read(self._log.newest, 0)  # a read finds a new epoch
        return self._log.epoch, self._log.newest

    def _here(self) -> Place:
        epoch, position = self._place()
        last = self._mark.last
        known = last is not None and (last.epoch, last.position) == (epoch, position)
        return Place(epoch, position, last.tag if last is not None and known else None)

    def _look(self, here: Place) -> View:
        """Look at the epoch that is in use."""
        view = self._stream.look(here.epoch, here.position)
        epoch = here.epoch
        while view.epoch not in ("", epoch):
            epoch = view.epoch
            view = self._stream.look(epoch, here.position)
        return view

    def _was_trimmed(self, epoch: str, position: int) -> bool:
        """Return True if the next entry was trimmed since the last look: a loss of this server."""
        view = self._stream.look(epoch, position)
        is_later = view.oldest is not None and view.oldest.position > position + 1
        return is_later and view.newest > position

    def _has_bytes_of(self, view: View) -> bool:
        entry = view.entry
        if entry is None or view.epoch != self._log.epoch:
            return False
        here = self._log.read(entry.position - 1, 1)
        if here and here[0].audience is None:
            return True  # the copy was begun here, and nothing was copied since
        if not here or here[0].audience != entry.audience:
            return False
        frame = entry_bytes(view.epoch, entry.position, entry.audience, entry.event)
        return bytes(here[0].frame) == frame

    def _take_over(self, view: View) -> None:
        """Begin an epoch with the form of this server's events, if no other server runs.

        Raises:
            BusRefused: other servers run.
        """
        if any(not name.endswith(f"@{self._server}") for name in self._stream.processes()):
            raise BusRefused(
                f"the events in Redis have another form ({view.signature!r:.80}, here"
                f" {self._signature!r:.80}): stop the servers with the other settings, or choose"
                " another prefix",
                may_pass=True,
            )
        # Not the epoch here, which is not that of Redis: the old entries would stay there for ever.
        self._stream.begin(view.epoch, view.epoch)

    def _sweep(self) -> None:
        now = time.monotonic()
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            self._stream.sweep(_PRODUCER_SECONDS)

    def _end(self, actual: str, known: str, reason: str) -> None:
        """End an epoch, unless another process has done it."""
        if self._mark.last is not None:  # else nobody here has ever had an event of Redis
            self._warn(reason)
        self._stream.begin(actual, known)

    @staticmethod
    def _warn(reason: str) -> None:
        logger.warning("clients are told that they missed events", extra={"reason": reason})

    def _note(self, problem: str) -> None:
        """Log a problem once: it is met again at each attempt."""
        if self.problem is None:
            logger.warning("this server copies no events from Redis", extra={"reason": problem})
        self.problem = problem
