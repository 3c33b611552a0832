"""The log of one process among many servers: Redis orders, and everything is read here."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gevent

from gateway_shim.event_log.audience import NOTES
from gateway_shim.event_log.brokers.appender import ANSWER_SECONDS, Appender
from gateway_shim.event_log.brokers.arrivals import Arrivals
from gateway_shim.event_log.brokers.carried_log import CarriedLog
from gateway_shim.event_log.brokers.carrier import SOCKET_SECONDS, Carrier
from gateway_shim.event_log.brokers.presence import BusState, Presence
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.parcels import RedisParcels
from gateway_shim.event_log.brokers.redis.stream import RedisStream
from gateway_shim.event_log.brokers.redis.url import RedisURL
from gateway_shim.event_log.brokers.server_name import server_name
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.delegating_log import DelegatingLog
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import LogListener
from gateway_shim.event_log.segment import Entry

__all__ = ["BusOptions", "RedisLog"]

logger = logging.getLogger(__name__)

_MOST_WAITING = 256
"""The number of browsers that wait at a time for what another server has sent them. Each keeps a
handler, so that more of them would delay all other requests."""

_NOTE_SECONDS = 1.0
"""The longest wait for the append of a note while Redis is away."""

_SENDER = re.compile(rb'"(p-[0-9]+-[0-9a-f]{12}@[0-9a-f.]+)"')
_SENDER_WITHIN = 120
"""A note names its sender within its first bytes."""

_OPEN_PAUSE = 0.02
_RESTART_SECONDS = 1.0


@dataclass(frozen=True)
class BusOptions:
    """The options of the engine.

    Args:
        url: the server.
        prefix: what the keys begin with; servers with the same one share their events.
        append_seconds: how long an append may wait for Redis.
        entries: the number of entries that Redis keeps, roughly.
        size: the bytes of entries that Redis keeps, roughly.
    """

    url: RedisURL
    prefix: str = "sse-monolith"
    append_seconds: float = 5.0
    entries: int = 100_000
    size: int = 32 * 1024 * 1024


class RedisLog(DelegatingLog):
    """The log (:class:`~gateway_shim.event_log.log.Log`). Make it after the fork, in each process.

    It opens whether Redis answers or not: what is on this server can be replayed.

    Args:
        directory: the directory of this server's log.
        limits: the bytes and seconds that are kept here.
        signature: what the bytes of the entries depend on. Servers with another one do not get
            each other's events.
        options: the options of the engine.

    Attributes:
        parcels: the place for what is too large for an entry.

    Raises:
        LogUnavailable: the directory cannot be used.
        InvalidConfiguration: the prefix cannot be used.
    """

    def __init__(
        self, directory: Path, limits: LogLimits, signature: str, options: BusOptions
    ) -> None:
        keys = Keys(options.prefix)
        self._options = options
        self._listener: LogListener | None = None
        self._waiting = 0  # the browsers that wait in `reaches`
        # Not the log of a server without an engine: its epochs are its own.
        self._log = CarriedLog(directory, limits, signature=f"{signature} {keys.meta}")
        try:
            server = server_name(directory)
        except BaseException:
            self._log.close()
            raise
        self._suffix = f"@{server}"
        self._arrivals = Arrivals(self._log)
        self._log.listen(self)

        def stream(seconds: float) -> RedisStream:
            return RedisStream(RedisClient(options.url, seconds), keys, signature)

        self._appender = Appender(
            stream(ANSWER_SECONDS),
            (options.entries, options.size),
            options.append_seconds,
            self._here,
        )
        self._presence = Presence(stream(ANSWER_SECONDS), self.process, server, self._here)
        self._carrier = Carrier(
            stream(SOCKET_SECONDS),
            self._log,
            directory,
            server,
            signature,
            lambda: self._presence.misses_entries,
        )
        self.parcels = RedisParcels(RedisClient(options.url, ANSWER_SECONDS), keys)
        work = (self._appender.run, self._carrier.run, self._presence.run)
        self._greenlets = [gevent.spawn(_repeat, function) for function in work]

    # ------------------------------------------------------------------------- Redis

    def wait_until_current(self, seconds: float) -> bool:
        """Wait until this server has all entries of Redis.

        Returns:
            False if it does not have them after so many seconds.
        """
        until = time.monotonic() + seconds
        while not self._presence.is_caught_up:
            if time.monotonic() >= until:
                return False
            gevent.sleep(_OPEN_PAUSE)
            self._presence.beat()
            self._log.read(self._log.newest, 0)  # a read finds a new epoch
        return True

    def read_state(self) -> BusState:
        """Return the state of the connection to Redis, for readiness and metrics."""
        presence, carrier, appender = self._presence, self._carrier, self._appender
        return BusState(
            presence.is_connected,
            presence.since,
            presence.problem or carrier.problem or appender.recent_problem,
            presence.lag(),
            waiting=appender.waiting,
            carries=carrier.carries,
            reconnects=max(presence.reconnects, 0),
            new_epochs=carrier.new_epochs,
            is_stalled=presence.is_stalled,
        )

    def append(self, audience: str, event: bytes) -> int:
        """Append an event (:meth:`Log.append`). Waits for Redis, and other greenlets run meanwhile.

        If the event is in Redis, and not yet here when the time is over, this returns nevertheless:
        the event will arrive. If its epoch has ended meanwhile, so that all streams are told to
        resync, the result is the newest position. A note waits for a shorter time while Redis is
        away: a browser that connects may wait for it.
        """
        begun, seconds = time.monotonic(), self._options.append_seconds
        away_seconds = min(seconds, _NOTE_SECONDS) if audience == NOTES else seconds
        if not self._presence.is_connected:
            seconds = away_seconds
        cursor = self._appender.append(audience, event, seconds, away_seconds)
        left = seconds - (time.monotonic() - begun)
        self._arrivals.wait(cursor, max(left, 0.0))
        return cursor.position if self._log.epoch == cursor.epoch else self._log.newest

    def reaches(self, cursor: Cursor) -> bool:
        """Return True if an entry is here, or arrives in time (:meth:`Log.reaches`).

        A browser may come from a server that was faster than this one. It may wait for Redis as
        long as an event may: what it waits for, no other browser of this server gets earlier.
        """
        if self._log.reaches(cursor):
            return True
        if self._waiting >= _MOST_WAITING:
            return False
        seconds = self._options.append_seconds
        # Who names an epoch that is not known here would most likely wait in vain.
        away_seconds = seconds if cursor.epoch == self._log.epoch else 0.0
        self._waiting += 1
        try:
            return self._presence.knows(cursor, away_seconds) and self._arrivals.wait(
                cursor, seconds
            )
        finally:
            self._waiting -= 1

    def others(self) -> list[str]:
        """Return the names of the other processes of all servers (:meth:`Log.others`)."""
        return [name + self._suffix for name in self._log.others()] + self._presence.others()

    @property
    def process(self) -> str:
        """The name of this process, which no process of any server shares."""
        return self._log.process + self._suffix

    def close(self) -> None:
        """Leave Redis and the log of this server. The files stay."""
        gevent.killall(self._greenlets)
        self._appender.close()
        self._carrier.close()
        self._presence.close()
        self.parcels.close()
        self._log.close()

    # ------------------------------------------------------------------------- called by the log

    def appended(self) -> None:
        """Wake those whose entries have arrived, and tell the listener. Called in the hub."""
        self._arrivals.look()
        if self._listener is not None:
            self._listener.appended()

    def trimming(self, through: int) -> None:
        """Tell the listener."""
        if self._listener is not None:
            self._listener.trimming(through)

    # ------------------------------------------------------------------------- read here

    def read(self, after: int, limit: int) -> list[Entry] | None:
        """Return entries (:meth:`Log.read`). Learns who has written the notes among them."""
        entries = self._log.read(after, limit)
        for entry in entries or ():
            if entry.audience == NOTES:
                found = _SENDER.search(entry.frame[:_SENDER_WITHIN])
                if found is not None:
                    self._presence.heard_of(found[1].decode())
        return entries

    def listen(self, listener: LogListener) -> None:
        """Set the object that is told of changes."""
        self._listener = listener

    def completed(self, position: int) -> None:
        """Note what this process has delivered (:meth:`Log.completed`)."""
        self._log.completed(position)
        self._presence.serve()

    def _here(self) -> tuple[str, int]:
        return self._log.epoch, self._log.newest


def _repeat(work: Callable[[], None]) -> None:
    """Do endless work; after an error that nobody has foreseen, do it again."""
    while True:
        try:
            work()
        except Exception:
            logger.exception("work with Redis has failed, and begins again")
        gevent.sleep(_RESTART_SECONDS)
