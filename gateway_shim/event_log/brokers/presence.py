"""The processes of all servers, and what each process knows of Redis's state."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from gevent.event import Event as Signal
from gevent.lock import Semaphore

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.brokers.redis.stream import Pulse, RedisStream
from gateway_shim.event_log.cursor import Cursor

__all__ = ["PRESENT_SECONDS", "PULSE_SECONDS", "STALL_SECONDS", "BusState", "Presence"]

PULSE_SECONDS = 2.0
"""The time between two signs of life of a process."""

PRESENT_SECONDS = 8.0
"""The time for which a process counts as running after a sign of life."""

READY_LAG = 1000
"""The entries that a server may lack and still be ready: some are always on their way."""

STALL_SECONDS = 4.0
"""The time in which a server that lacks entries must get one at least, or it is not ready. Another
process begins to copy earlier than that if the carrier hangs."""

CLOSE_SECONDS = 1.0
"""The longest wait of the end for an answer that is on its way."""


@dataclass(frozen=True, slots=True)
class BusState:
    """The state of the connection to Redis, as one process knows it.

    Args:
        is_connected: True if Redis has answered the last sign of life.
        since: when that changed, monotonic seconds.
        problem: the last error, also of an append or of copying; None: all is well.
        lag: the entries that were in Redis at the last sign of life but one, and are not yet here;
            None if another epoch is in use there than here.
        waiting: the appends of this process that wait for Redis.
        carries: True if this process copies for its server.
        reconnects: how often Redis has answered again after it was away.
        new_epochs: how often this process has begun the copy anew, after events were lost.
        is_stalled: True if entries of Redis have not arrived here for some seconds. All processes
            of the server find the same, whichever of them should copy.
    """

    is_connected: bool
    since: float
    problem: str | None
    lag: int | None
    waiting: int = 0
    carries: bool = False
    reconnects: int = 0
    new_epochs: int = 0
    is_stalled: bool = False

    @property
    def is_ready(self) -> bool:
        """True if events can be published, and those of other servers arrive."""
        is_near = self.lag is not None and self.lag <= READY_LAG
        is_well = self.is_connected and self.problem is None
        return is_well and is_near and not self.is_stalled


class Presence:
    """This process among those of all servers. Make it after the fork.

    Until :meth:`serve`, the others do not know this process.

    Args:
        stream: the stream in Redis, over a connection of its own.
        process: the name of this process.
        server: the name of this server, which its processes' names end with.
        local: returns the epoch and the newest position of this server's log.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stream: RedisStream,
        process: str,
        server: str,
        local: Callable[[], tuple[str, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._process = process
        self._suffix = f"@{server}"
        self._local = local
        self._clock = clock
        self._turn = Semaphore()
        # The number of questions to Redis, and the last one of them that was answered.
        self._asked = self._answered = 0
        self._serves = self._was_known = False
        self._wake = Signal()
        self._back = Signal()  # set while Redis answers
        # Stands for the names that Redis has named last.
        self._digest = ""
        # The processes of other servers, and until when those count that Redis names no more.
        self._remote: dict[str, float | None] = {}
        self._returned = -PRESENT_SECONDS
        # What Redis had at the last two signs of life.
        self._seen = self._seen_before = Cursor("", -1)
        # Where the log of this server was when something was missing, and since when.
        self._place, self._stands_since = ("", -1), clock()
        self.is_connected = False
        self.reconnects = -1  # the first connection is none
        self.since = time.monotonic()
        self.problem: str | None = "Redis was not asked yet"

    def run(self) -> None:
        """Give signs of life without end."""
        while True:
            self._wake.clear()
            self.beat()
            self._wake.wait(PULSE_SECONDS)

    def serve(self) -> None:
        """Let the others know this process: from now on it reads all entries."""
        if not self._serves:
            self._serves = True
            self._wake.set()

    def heard_of(self, name: str) -> None:
        """Note that a process runs: it has appended an entry.

        So a process that asks as soon as it has started is known before its question is handled.
        """
        if name not in self._remote and not name.endswith(self._suffix):
            self._remote[name] = self._clock() + PRESENT_SECONDS
            self._digest = ""

    def others(self) -> list[str]:
        """Return the names of the processes of other servers."""
        return list(self._remote)

    @property
    def is_caught_up(self) -> bool:
        """True if this server has all entries that Redis had at the last sign of life."""
        epoch, newest = self._local()
        return self.is_connected and self._seen.epoch == epoch and self._seen.position <= newest

    @property
    def misses_entries(self) -> bool:
        """True if Redis answers, and had entries at the last sign of life that are not here."""
        return self.is_connected and not self.is_caught_up

    def lag(self) -> int | None:
        """Return how many entries are not yet here (:class:`BusState`)."""
        epoch, newest = self._local()
        if self._seen_before.epoch != epoch:
            return 0 if self._seen.epoch == epoch else None
        return max(self._seen_before.position - newest, 0)

    @property
    def is_stalled(self) -> bool:
        """True if entries are missing, and none has arrived for some time (:class:`BusState`)."""
        is_late = self._clock() - self._stands_since >= STALL_SECONDS
        return is_late and bool(self.lag()) and self._local() == self._place

    def beat(self) -> None:
        """Give one sign of life, and note what Redis answers."""
        now = self._clock()
        try:
            with self._turn:
                answer = self._ask()
        except LogUnavailable as exc:
            self._fail(exc)
            return
        self._change(True)
        self.problem = None
        self._seen_before = self._seen
        self._learn(answer, now)
        place = self._local()
        if not self.lag() or place != self._place:
            self._place, self._stands_since = place, now

    def knows(self, cursor: Cursor, away_seconds: float) -> bool:
        """Return True if Redis has an entry.

        Args:
            cursor: the entry.
            away_seconds: how long to wait for Redis while it is away. After it, this is False.
        """
        before, until = self._asked, time.monotonic() + away_seconds
        # Those who have waited together need one question, or one failure.
        while not self._has_seen(cursor) and self._answered <= before:
            if self.is_connected:
                self._ask_unless_answered(cursor, before)
            elif not self._back.wait(max(until - time.monotonic(), 0.0)):
                break
        return self._has_seen(cursor)

    def close(self) -> None:
        """Tell the others that this process has ended. The greenlet must have ended.

        Waits for a question that is on its way, because the connection has one user at a time.
        """
        has_turn = self._turn.acquire(timeout=CLOSE_SECONDS)
        try:
            if has_turn and self.is_connected:
                with contextlib.suppress(LogUnavailable):  # then they notice it after a time
                    self._stream.pulse(self._process, 0, "")
            # A later question would count as a sign of life.
            self._change(False)
            self._stream.close()
        finally:
            if has_turn:
                self._turn.release()

    def _ask_unless_answered(self, cursor: Cursor, before: int) -> None:
        """Ask Redis if it has an entry, unless others have asked while this waited for its turn."""
        try:
            with self._turn:
                is_answered = self._has_seen(cursor) or self._answered > before
                if not is_answered and self.is_connected:
                    now = self._clock()
                    self._learn(self._ask(), now)
        except LogUnavailable as exc:
            self._fail(exc)

    def _ask(self) -> Pulse:
        seconds = PRESENT_SECONDS if self._serves else 0.0
        self._asked += 1
        answer = self._stream.pulse(self._process, seconds, self._digest)
        self._answered = self._asked
        return answer

    def _learn(self, answer: Pulse, now: float) -> None:
        if answer.is_new and self._was_known:
            # Redis has forgotten this process, or was away: so it is with the others.
            self._returned = now
        self._was_known = self._serves
        self._seen = Cursor(answer.epoch, answer.newest)
        if answer.digest != self._digest:
            self._digest = answer.digest
            names = {name for name in answer.names if not name.endswith(self._suffix)}
            for name in self._remote.keys() - names:
                # After Redis was away, nobody's time has been prolonged: wait for the next sign.
                self._remote[name] = self._remote[name] or self._returned + PRESENT_SECONDS
            self._remote |= dict.fromkeys(names)
        gone = [name for name, until in self._remote.items() if until is not None and until <= now]
        for name in gone:
            del self._remote[name]

    def _has_seen(self, cursor: Cursor) -> bool:
        return self._seen.epoch == cursor.epoch and self._seen.position >= cursor.position

    def _fail(self, exc: LogUnavailable) -> None:
        self._change(False)
        self.problem = str(exc)

    def _change(self, is_connected: bool) -> None:
        if is_connected != self.is_connected:
            self.is_connected = is_connected
            self.reconnects += is_connected
            self.since = time.monotonic()
            if is_connected:
                self._back.set()
            else:
                self._back.clear()
