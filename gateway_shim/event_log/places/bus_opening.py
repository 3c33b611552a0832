"""Opens the log of a server among many, in a process that serves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from gateway_shim.errors import InvalidConfiguration, LogUnavailable
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.places.choice import make_place
from gateway_shim.event_log.places.owner import Owner
from gateway_shim.event_log.places.place import current_place

if TYPE_CHECKING:
    from gateway_shim.event_log.brokers.redis_log import BusOptions, RedisLog

__all__ = ["CURRENT_SECONDS", "bus_options", "open_bus_log"]

logger = logging.getLogger(__name__)

CURRENT_SECONDS = 3.0
"""The longest wait for the entries that Redis has already. Then the server is not ready yet."""


def bus_options(
    url: str, prefix: str, *, append_seconds: float, entries: int, size: int
) -> BusOptions:
    """Return the options of the engine. Connects to nothing.

    Args:
        url: the URL of Redis (:mod:`gateway_shim.event_log.brokers.redis.url`).
        prefix: what its keys begin with.
        append_seconds: how long an append may wait for Redis.
        entries: the number of entries that Redis keeps, roughly.
        size: the bytes of entries that Redis keeps, roughly.

    Raises:
        InvalidConfiguration: the package redis is missing, or an option cannot be used. The message
            holds no password.
    """
    try:
        # Here, because the package is an extra, and takes 6.5 MB of memory.
        from gateway_shim.event_log.brokers.redis.keys import Keys
        from gateway_shim.event_log.brokers.redis.url import RedisURL
        from gateway_shim.event_log.brokers.redis_log import BusOptions
    except ModuleNotFoundError as exc:
        raise InvalidConfiguration(
            "the package redis is missing; run: pip install 'sse-monolith[redis]'"
        ) from exc
    Keys(prefix)
    return BusOptions(RedisURL.parse(url), prefix, append_seconds, entries, size)


def open_bus_log(limits: LogLimits, signature: str, options: BusOptions) -> RedisLog:
    """Open the log of this server, whose order comes from the engine.

    Call it after the fork, once in each process. Waits for a bounded time until this server has
    what the engine has. If Redis is away, the log opens with what is on this server; its
    ``read_state`` says so.

    Args:
        limits: how much the log keeps on this server.
        signature: names what the bytes of the entries depend on.
        options: the options of the engine.

    Raises:
        LogUnavailable: the directory of the log cannot be used. There is no log in memory: it could
            not be shared.
    """
    from gateway_shim.event_log.brokers.redis_log import RedisLog

    log = RedisLog(_directory(limits), limits, signature, options)
    if not log.wait_until_current(CURRENT_SECONDS):
        logger.warning(
            "this server does not have all events of Redis yet, so it is not ready",
            extra={"reason": log.read_state().problem or "there are many"},
        )
    return log


def _directory(limits: LogLimits) -> Path:
    place = current_place()
    if place is None:  # no arbiter has started this process
        place = make_place(None, limits.size, Owner.of_this_process())
    if place is None:
        raise LogUnavailable("no folder can hold the event log; free space in /dev/shm or /tmp")
    try:
        # A program that cleans folders may have removed the directory since the start.
        place.directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise LogUnavailable(f"cannot use {place.directory}: {exc.strerror}") from exc
    return place.log_directory
