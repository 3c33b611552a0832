"""The way to the other servers: opens the log, and says whether events can be published.

That is Redis if SSE_BUS_URL is set. Otherwise there are no other servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from app.config import Settings
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.log import Log
from gateway_shim.event_log.places.bus_opening import bus_options, open_bus_log
from gateway_shim.event_log.places.opening import open_log

if TYPE_CHECKING:  # these import the package redis, which is an extra
    from gateway_shim.event_log.brokers.presence import BusState
    from gateway_shim.event_log.brokers.redis_log import BusOptions, RedisLog

__all__ = ["Bus", "NoBus", "RedisBus", "make_bus"]

_ENTRIES = 100_000
"""The number of events that Redis keeps at most, roughly. SSE_REPLAY_BYTES usually ends earlier."""


class Bus(Protocol):
    """The way to the other servers."""

    def open_log(self, limits: LogLimits, signature: str) -> Log:
        """Open the log of this server. Call it after the fork.

        Args:
            limits: how much the log keeps on this server.
            signature: names what the bytes of the entries depend on.

        Raises:
            LogUnavailable: the directory of the log cannot be used.
        """
        ...

    def read_state(self) -> BusState | None:
        """Return the state of the connection; None if there is none, or not yet."""
        ...

    def problem(self) -> str | None:
        """Return why no events can be published or arrive, in one sentence; None if they can."""
        ...


def make_bus(settings: Settings) -> Bus:
    """Return the way to the other servers. Connects to nothing.

    Raises:
        InvalidConfiguration: the package redis is needed, and missing.
    """
    if settings.sse_bus_url is None:
        return NoBus()
    options = bus_options(
        settings.sse_bus_url.get_secret_value(),
        settings.sse_bus_prefix,
        append_seconds=settings.sse_bus_timeout_seconds,
        entries=_ENTRIES,
        # A server that comes back after a long time fills its log from Redis.
        size=settings.sse_replay_bytes,
    )
    return RedisBus(options)


class NoBus:
    """No other servers: the log is that of this server alone, and always ready."""

    def open_log(self, limits: LogLimits, signature: str) -> Log:
        """Open the log (:meth:`Bus.open_log`)."""
        return open_log(limits, signature)

    def read_state(self) -> None:
        """Return None (:meth:`Bus.read_state`)."""

    def problem(self) -> None:
        """Return None (:meth:`Bus.problem`)."""


class RedisBus:
    """The connection to Redis (:class:`Bus`).

    Args:
        options: the options of the engine.
    """

    def __init__(self, options: BusOptions) -> None:
        self._options = options
        self._log: RedisLog | None = None

    def open_log(self, limits: LogLimits, signature: str) -> Log:
        """Open the log of this server, whose order comes from Redis (:meth:`Bus.open_log`).

        Waits for about 3 seconds at most. Redis may be away: then events that are on this server
        already can be replayed, and nothing can be published.
        """
        self._log = open_bus_log(limits, signature, self._options)
        return self._log

    def read_state(self) -> BusState | None:
        """Return the state of the connection; None before the log is open."""
        return None if self._log is None else self._log.read_state()

    def problem(self) -> str | None:
        """Return why no events can be published or arrive (:meth:`Bus.problem`).

        The sentence has no address, because everybody can read it. The server's log has more.
        """
        state = self.read_state()
        if state is None:
            return "The log of events is not open yet"
        if state.is_ready:
            return None
        if not state.is_connected:
            return "Redis does not answer, or refuses this server"
        if state.problem is not None or state.is_stalled:
            return "Redis refuses events, or they cannot be copied from it"
        return "This server does not have all events of Redis yet"
