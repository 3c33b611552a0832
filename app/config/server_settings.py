"""The settings of the server: addresses, connections, bodies, answers, the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from gateway_shim.errors import InvalidConfiguration
from gateway_shim.log_lines.line_limit import LINES_PER_SECOND
from gateway_shim.protocol.client_address import DEFAULT_PROXIES, TrustedProxies
from gateway_shim.server.addresses import listening_host

__all__ = ["ServerSettings"]


class ServerSettings(BaseSettings):
    """The part of :class:`app.config.Settings` that any HTTP server would have."""

    flask_env: Literal["production", "development", "testing"] = Field(
        "development",
        description="production: the callback needs its secret; testing: /api/testing exists",
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(5000, ge=1, le=65535, description="TCP port to listen on")

    keep_alive_seconds: int = Field(
        150,
        ge=1,
        le=86_400,
        description="a connection may be idle this long between two requests, seconds; longer than"
        " a proxy keeps it",
    )

    max_request_connections: int = Field(
        2000,
        ge=10,
        le=65_536,
        description="connections at a time, at each address listened at, that are no stream",
    )
    max_request_connections_per_address: int = Field(
        500,
        ge=1,
        description="connections at a time from one client address that are no stream; loopback"
        " and trusted proxies are not counted",
    )
    max_requests_per_connection: int = Field(
        1000, ge=1, description="requests that one connection may carry; then it is closed"
    )
    trusted_proxies: str = Field(
        DEFAULT_PROXIES,
        description="comma-separated addresses and networks whose X-Forwarded-For and"
        " X-Forwarded-Proto are believed; unix: the peers of a Unix socket; *: everybody",
    )

    certfile: str | None = Field(None, description="TLS certificate chain, PEM; needs KEYFILE")
    keyfile: str | None = Field(None, description="TLS private key, PEM; needs CERTFILE")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="the least important log line written"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text for people, json for machines"
    )

    log_lines_per_second: int = Field(
        LINES_PER_SECOND,
        ge=1,
        le=1_000_000,
        description="log lines of one kind that are written in a second; more are counted",
    )

    max_body_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=1024**3,
        description="the largest body of a request, bytes; larger ones get 413",
    )
    max_json_bytes: int = Field(
        102_400,
        ge=1024,
        le=16 * 1024 * 1024,  # a body is parsed in one go, during which nobody else is served
        description="the largest body for the backend's own routes, which take JSON, bytes",
    )
    max_bodies_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024 * 1024,
        description="bytes that all bodies may hold together, 16 KiB of each not counted",
    )
    answer_seconds: float = Field(
        30.0,
        ge=1,
        le=3600,
        description="a client may keep an answer waiting this long, seconds, and one second more"
        " for each 10,000 bytes",
    )
    max_answers_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024 * 1024,
        description="bytes of all answers that wait for their clients, 16 KiB of each not counted",
    )
    max_answers_waiting: int = Field(
        64,
        ge=4,
        le=1000,
        description="requests for lists, large results and metrics that wait for their turn; a"
        " fourth of them from one client address",
    )
    max_error_details: int = Field(
        10, ge=1, le=100, description="faults that the answer to a bad request describes"
    )

    graceful_shutdown_timeout: float = Field(
        25.0, ge=0, description="running tasks may go on this long after SIGTERM, seconds"
    )

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        return listening_host(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_proxies(cls, value: str) -> str:
        try:
            TrustedProxies.parse(value)
        except InvalidConfiguration as exc:
            raise ValueError(str(exc)) from exc
        return value

    @property
    def is_production(self) -> bool:
        """Whether callbacks must carry the secret."""
        return self.flask_env == "production"

    @property
    def is_testing(self) -> bool:
        """Whether the testing API exists."""
        return self.flask_env == "testing"
