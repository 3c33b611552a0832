"""Tests of parcels in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway_shim.errors import LogUnavailable
from gateway_shim.event_log.brokers.redis import parcels as module
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.parcels import RedisParcels
from gateway_shim.event_log.brokers.redis.url import RedisURL
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT

pytestmark = pytest.mark.needs("redis")


@pytest.fixture(name="parcels")
def fixture_parcels(redis_server: RedisServer, prefix: str) -> Iterator[RedisParcels]:
    """Return parcels in the Redis that tests share."""
    client = RedisClient(RedisURL.parse(redis_server.url), TIME_LIMIT)
    parcels = RedisParcels(client, Keys(prefix))
    yield parcels
    parcels.close()


def test_a_parcel_is_taken_once(parcels: RedisParcels) -> None:
    """It is removed by its receiver."""
    name = parcels.put(b"\x00" * 70_000)
    assert parcels.take(name) == b"\x00" * 70_000
    assert parcels.take(name) is None
    parcels.sweep()


def test_nobody_takes_a_parcel(
    parcels: RedisParcels, redis_server: RedisServer, prefix: str
) -> None:
    """Redis removes it after a minute."""
    name = parcels.put(b"1")
    assert 0 < redis_server.do("TTL", f"{{{prefix}}}:parcel:{name}") <= 60


def test_names_that_no_parcel_has(parcels: RedisParcels) -> None:
    """Names come from other processes: only those of parcels reach Redis."""
    assert parcels.take("meta") is None
    assert parcels.take("0" * 32) is None


def test_a_parcel_that_is_too_large(parcels: RedisParcels, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused here, before it fills Redis."""
    monkeypatch.setattr(module, "MAX_PARCEL_BYTES", 10)
    with pytest.raises(LogUnavailable, match="11 bytes are more than 10"):
        parcels.put(b"x" * 11)


def test_redis_is_away(prefix: str) -> None:
    """A parcel cannot be put, and none is found."""
    client = RedisClient(RedisURL.parse("unix:///nothing"), TIME_LIMIT)
    parcels = RedisParcels(client, Keys(prefix))
    with pytest.raises(LogUnavailable, match="gives no answer"):
        parcels.put(b"1")
    assert parcels.take("0" * 32) is None
