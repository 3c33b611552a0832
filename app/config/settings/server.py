"""The settings of the server: environment, addresses, workers, TLS, idle connections, shutdown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from app.config.reading.value_error import as_value_error
from gateway_shim.event_log.places.place import MAX_WORKERS
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.server.addresses import listening_host

__all__ = ["ServerSettings"]


class ServerSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for the server itself."""

    flask_env: Literal["production", "development", "testing"] = Field(
        "development",
        description="The kind of deployment. `production`: callbacks must carry"
        " SSE_CALLBACK_SECRET, and the tasks API and the metrics are served only at ADMIN_BIND,"
        " or where ALLOW_OPEN permits them. `testing`: `/api/testing` exists.",
    )
    host: str = Field(
        "127.0.0.1",
        description="The address to listen on: a host name or an IP address. `0.0.0.0` is every"
        " IPv4 address of the machine, `::` every address.",
    )
    port: int = Field(5000, ge=1, le=65535, description="The TCP port to listen on.")
    web_concurrency: int = Field(
        1,
        ge=1,
        le=MAX_WORKERS,
        description="The number of worker processes, which share the addresses and the event log."
        " More than one needs SSE_REPLAY, and no SSE_GATEWAY_URL.",
    )
    trusted_proxies: str = Field(
        DEFAULT_PROXIES,
        description="The proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted:"
        " comma-separated addresses and networks. `unix` is every peer of a Unix socket, `*` is"
        " every peer.",
    )
    certfile: str | None = Field(
        None, description="The TLS certificate chain, a PEM file. It needs KEYFILE."
    )
    keyfile: str | None = Field(
        None, description="The TLS private key, a PEM file. It needs CERTFILE."
    )
    keep_alive_seconds: int = Field(
        150,
        ge=1,
        le=86_400,
        description="The time that a connection may be idle between two requests. Behind a proxy"
        " it must be longer than the time for which the proxy keeps idle connections.",
    )
    graceful_shutdown_timeout: float = Field(
        25.0,
        ge=0,
        description="The time that running tasks have to finish after SIGTERM.",
    )

    @field_validator("host")
    @classmethod
    def _check_host(cls, value: str) -> str:
        return listening_host(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        with as_value_error():
            TrustedProxies.parse(value)
        return value

    @property
    def is_production(self) -> bool:
        """True if callbacks must carry the secret."""
        return self.flask_env == "production"

    @property
    def is_testing(self) -> bool:
        """True if the testing API exists."""
        return self.flask_env == "testing"
