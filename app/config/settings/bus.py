"""The settings of the engine that orders the events of many servers: Redis."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from app.config.reading.value_error import as_value_error
from gateway_shim.event_log.brokers.redis.keys import Keys
from gateway_shim.event_log.brokers.redis.url import RedisURL

__all__ = ["BusSettings"]

_OTHER_ENGINES = ("amqp", "amqps", "kafka", "mqtt", "nats", "http", "https")
"""The schemes of other servers, so that the message can say more than "unknown"."""


class BusSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for several servers."""

    sse_bus_url: SecretStr | None = Field(
        None,
        description="The URL of the Redis that orders the events of several servers, such as"
        " `redis://user:password@host:6379/0`, `rediss://…`, `unix:///path/of/socket` or"
        " `redis+sentinel://host:26379,host:26379/service`. It needs the extra `redis`. Unset: the"
        " events of this server reach only its own browsers.",
    )
    sse_bus_prefix: str = Field(
        "sse",
        description="The beginning of the keys in Redis. Servers with the same prefix share their"
        " events, so each environment needs its own.",
    )
    sse_bus_timeout_seconds: float = Field(
        5.0,
        ge=1,
        le=60,
        description="The longest time for which an event waits for Redis. After it, publishing"
        " fails, and the event counts in `sse_log_appends_failed_total`. A browser that comes from"
        " a server which was faster than this one waits as long for the events that it has.",
    )

    @field_validator("sse_bus_url")
    @classmethod
    def _check_bus_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            text = value.get_secret_value().strip()
            scheme = text.partition(":")[0].lower()
            if scheme in _OTHER_ENGINES:
                raise ValueError(
                    f"only Redis can order the events of several servers, and {scheme}:// is the"
                    " URL of another kind of server; use redis://host:6379/0"
                )
            with as_value_error():
                RedisURL.parse(text)
        return value

    @field_validator("sse_bus_prefix")
    @classmethod
    def _check_bus_prefix(cls, value: str) -> str:
        with as_value_error():
            Keys(value)
        return value

    @property
    def bus(self) -> RedisURL | None:
        """The URL of Redis, read; None if there is one server. Its text has no password."""
        url = self.sse_bus_url
        return None if url is None else RedisURL.parse(url.get_secret_value())
