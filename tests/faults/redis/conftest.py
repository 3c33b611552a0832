"""Fixtures for tests of a Redis that fails."""

from tests.gateway_shim.event_log.brokers.conftest import prefix, redis_server, sites

__all__ = ["prefix", "redis_server", "sites"]
