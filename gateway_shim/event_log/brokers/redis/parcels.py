"""Parcels in Redis: what one process sends another, perhaps on another server."""

from __future__ import annotations

import re
import secrets

from gevent.lock import Semaphore

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys

__all__ = ["MAX_PARCEL_BYTES", "RedisParcels"]

MAX_PARCEL_BYTES = 32 * 1024 * 1024
"""The size of the largest parcel. It takes this space in Redis until it is taken."""

_SECONDS = 60
"""The time for which a parcel is kept: whoever has asked for it waits for seconds."""

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)


class RedisParcels:
    """Parcels in Redis (:class:`~gateway_shim.event_log.parcels.Parcels`).

    Args:
        client: a connection of their own, which the first parcel makes.
        keys: the names of the keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._turn = Semaphore()

    def put(self, data: bytes) -> str:
        """Keep some bytes (:meth:`Parcels.put`). Other greenlets run meanwhile."""
        if len(data) > MAX_PARCEL_BYTES:
            raise LogUnavailable(f"{len(data)} bytes are more than {MAX_PARCEL_BYTES}")
        name = secrets.token_hex(16)
        with self._turn:
            self._client.call("SET", self._keys.parcel(name), data, "EX", _SECONDS)
        return name

    def take(self, name: str) -> bytes | None:
        """Return and remove a parcel (:meth:`Parcels.take`). Other greenlets run meanwhile."""
        if _NAME.fullmatch(name) is None:
            return None
        try:
            with self._turn:
                found = self._client.call("GETDEL", self._keys.parcel(name))
        except LogUnavailable:
            return None
        return found if isinstance(found, bytes) else None

    def sweep(self) -> None:
        """Do nothing: Redis removes what nobody takes."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
