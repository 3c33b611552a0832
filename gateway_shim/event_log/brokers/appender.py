"""Appends the events of one process to the stream in Redis, many with one request.

While one request is on its way, the events that come are gathered for the next one. So a single
event waits for one round trip, and many at once share one. Only one request is on its way at a
time, so the events of a process keep their order.
"""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from gevent.event import Event as Signal

from gateway_shim.errors import BusRefused, BusUnreachable, LogUnavailable
from gateway_shim.event_log.brokers.redis.stream import Appended, RedisStream, pack
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.segments.opening import boot_seconds

__all__ = ["ANSWER_SECONDS", "Appender"]

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 2.0
"""The longest wait for an answer to one request. It is repeated until the appends' time is over."""

_BATCH_ENTRIES = 128
_BATCH_BYTES = 1024 * 1024

_WAITING_BYTES = 32 * 1024 * 1024
"""The bytes of events that may wait for Redis. More are refused at once."""

_PROBLEM_SECONDS = 5.0
"""The time for which a failed append is a problem of the server. Not for ever: perhaps nobody
publishes at a server that says that it is not ready."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class Appender:
    """The appends of one process. Make it after the fork.

    Args:
        stream: the stream in Redis, over a connection of its own with ANSWER_SECONDS.
        limits: the entries and the bytes that the stream keeps.
        seconds: how long an append may wait.
        local: returns the epoch and the newest position of this server's log.
        clock: seconds, by a clock that does not stop while the machine sleeps. Otherwise a request
            could be repeated after Redis has forgotten its number.

    Attributes:
        problem: the reason why the last request has failed; None: it has not.
    """

    def __init__(
        self,
        stream: RedisStream,
        limits: tuple[int, int],
        seconds: float,
        local: Callable[[], tuple[str, int]],
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._seconds = seconds
        self._local = local
        self._clock = clock
        self._producer = secrets.token_hex(8)
        self._number = 0
        # The epoch that Redis has named last, and the newest position of ours in it.
        self._epoch, self._reached = "", -1
        self._waiting: deque[_Append] = deque()
        self._waiting_bytes = 0
        # The events of the request that is on its way.
        self._sending: list[_Append] = []
        self._wake = Signal()
        self.problem: str | None = None
        self._failed_at = -_PROBLEM_SECONDS

    @property
    def waiting(self) -> int:
        """The number of appends that wait."""
        all_of_them = (*self._sending, *self._waiting)
        return sum(not one.is_over and not one.done.is_set() for one in all_of_them)

    @property
    def recent_problem(self) -> str | None:
        """The reason why an append has failed a moment ago; None: none has."""
        is_recent = self._clock() - self._failed_at < _PROBLEM_SECONDS
        return self.problem if is_recent else None

    def append(
        self,
        audience: str,
        event: bytes,
        seconds: float | None = None,
        away_seconds: float | None = None,
    ) -> Cursor:
        """Append an event, and return where it is in Redis. Other greenlets run meanwhile.

        Args:
            audience: to whom it is addressed.
            event: the bytes of the event.
            seconds: how long it may wait; None: as long as all.
            away_seconds: how long it may wait if requests fail; None: no less.

        Raises:
            LogUnavailable: the event was not appended, or it is unknown; the message says which.
        """
        packed = pack(audience, event)
        if self._waiting_bytes + len(packed) > _WAITING_BYTES:
            raise LogUnavailable(
                f"more than {_WAITING_BYTES >> 20} MiB of events wait for Redis already;"
                f" {self.problem or 'it is too slow'}"
            )
        seconds = self._seconds if seconds is None else seconds
        now, patience = self._clock(), seconds if away_seconds is None else away_seconds
        one = _Append(packed, now + seconds, now + patience)
        self._waiting.append(one)
        self._waiting_bytes += len(packed)
        self._wake.set()
        try:
            one.done.wait(seconds)
        finally:  # also when this greenlet is killed
            one.is_over = True
            if not one.was_taken:
                # It is not removed, which would take long among thousands, but passed over.
                one.packed = None
                self._waiting_bytes -= len(packed)
        if one.cursor is not None:
            return one.cursor
        raise LogUnavailable(self._failure_of(one))

    def run(self) -> None:
        """Send what waits, without end."""
        while True:
            self._wake.wait()
            self._wake.clear()
            while batch := self._take():
                self._send(batch)

    def close(self) -> None:
        """Refuse what waits. The greenlet of :meth:`run` must have ended."""
        for one in (*self._sending, *self._waiting):
            one.fail("the server ends")
        self._stream.close()

    def _failure_of(self, one: _Append) -> str:
        reason = one.problem or self.problem
        if reason is None:
            reason = "Redis has not answered in time"
        if one.was_sent:
            return f"{reason}; it is unknown whether the event was appended"
        return f"{reason}; the event was not appended"

    def _take(self) -> list[_Append]:
        """Take the events of the next request from those that wait."""
        batch: list[_Append] = []
        size = 0
        while self._waiting and len(batch) < _BATCH_ENTRIES:
            packed = self._waiting[0].packed
            if packed is not None and not self._waiting[0].done.is_set():
                size += len(packed)
                if batch and size > _BATCH_BYTES:
                    break
                self._waiting_bytes -= len(packed)
                self._waiting[0].was_taken = True
                batch.append(self._waiting[0])
            self._waiting.popleft()
        return batch

    def _send(self, batch: list[_Append]) -> None:
        """Append a batch, and repeat that until Redis answers or the time is over."""
        self._number += 1
        self._sending = batch
        pause = _FIRST_PAUSE
        while True:
            was_sent = batch[0].was_sent
            for one in batch:
                one.was_sent = True  # its time may be over while Redis is asked
            try:
                cursor = self._try(batch)
            except LogUnavailable as exc:
                self._note(str(exc))
                was_sent = was_sent or (isinstance(exc, BusUnreachable) and exc.was_sent)
                for one in batch:
                    one.was_sent = was_sent
                is_over = self._clock() + pause >= max(one.until for one in batch)
                if is_over or (isinstance(exc, BusRefused) and not exc.may_pass):
                    for one in batch:
                        one.fail(str(exc))
                    return
                self._give_up(batch, str(exc))
            else:
                self._note_success()
                for place, one in enumerate(batch):
                    one.succeed(Cursor(cursor.epoch, cursor.position + place))
                return
            gevent.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            if not was_sent:
                # Publishers whose time is over were told that nothing was appended: keep it true.
                self._sending = batch = [one for one in batch if not one.is_over]
                if not batch:
                    return

    def _give_up(self, batch: list[_Append], problem: str) -> None:
        """Let those fail that must not wait for longer, after a failure; also before their turn."""
        now = self._clock()
        for one in (*batch, *self._waiting):
            if one.away_until <= now:
                one.fail(problem)

    def _try(self, batch: list[_Append]) -> Cursor:
        """Append a batch once; begin a new epoch if Redis has lost the old one.

        Raises:
            BusRefused: it was not appended.
            BusUnreachable: that is unknown.
        """
        packed = [one.packed for one in batch if one.packed is not None]
        while True:
            local, newest = self._local()
            known = max(self._reached, newest if local == self._epoch else -1)
            answer = self._stream.append(
                self._epoch, known, self._producer, self._number, self._limits, packed
            )
            if answer.outcome == "done":
                self._reached = answer.first + len(batch) - 1
                return Cursor(self._epoch, answer.first)
            self._follow(answer, local)

    def _follow(self, answer: Appended, local: str) -> None:
        """Find out the epoch for the next attempt, or begin one.

        Raises:
            BusRefused: there is none for this process.
        """
        if answer.outcome == "signature":
            raise BusRefused(
                f"the events in Redis have another form ({answer.text!r:.80}): stop the servers"
                " with the other settings, or choose another prefix"
            )
        if answer.outcome == "stale":
            raise BusRefused("a later event of this process was appended before")
        before, self._reached = self._epoch, -1
        if answer.outcome == "epoch" and answer.text:
            self._epoch = answer.text
        elif answer.outcome == "lost":
            logger.warning("Redis has lost events, so clients are told that they missed some")
            self._epoch = self._stream.begin(before, before)
        else:
            # Redis has forgotten all. Those who wait for this server's epoch are woken.
            self._epoch = self._stream.begin("", before or local)

    def _note_success(self) -> None:
        if self.problem is not None:
            logger.info("Redis takes events again")
            self.problem = None

    def _note(self, problem: str) -> None:
        """Log a problem once: each attempt meets it again."""
        if self.problem is None:
            logger.warning("Redis takes no events", extra={"reason": problem})
        self._failed_at = self._clock()
        self.problem = problem


@dataclass(slots=True, eq=False)
class _Append:
    """One event that is being appended.

    Args:
        packed: the event with its audience; None once nobody waits for it any more.
        until: when its time is over.
        away_until: when its time is over if requests fail.
    """

    packed: bytes | None
    until: float
    away_until: float
    done: Signal = field(default_factory=Signal)
    cursor: Cursor | None = None
    problem: str | None = None
    was_taken: bool = False
    is_over: bool = False  # nobody waits for it any more
    was_sent: bool = False

    def succeed(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.done.set()

    def fail(self, problem: str) -> None:
        self.problem = problem
        self.done.set()
