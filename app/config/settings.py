"""Every setting of the backend, with its name, unit, default and limits.

Those of the server are in :mod:`app.config.server_settings`, those of tasks in
:mod:`app.config.task_settings`.

Settings come from the environment or from a ``.env`` file in the working directory
(the environment wins; an empty value counts as none). Nothing else in the package reads the
environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from app.access.exposure import Area, parse_areas
from app.access.host_names import HostNames
from app.access.listening_addresses import address_of
from app.config.combinations import combination_problem
from app.config.dotenv_file import InvalidDotenv
from app.config.server_settings import ServerSettings
from app.config.sources import AmbiguousSetting, SettingSources, read_sources
from app.config.task_settings import TaskSettings
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.server.addresses import is_http_url, split_bind
from gateway_shim.streams.config import Cors
from gateway_shim.streams.opening.pending_connects import (
    DEFAULT_PENDING_CONNECTS,
    MAX_PENDING_CONNECTS,
)

__all__ = [
    "InvalidSettings",
    "LoadedSettings",
    "Settings",
    "load_settings",
    "read_settings",
]


class InvalidSettings(InvalidConfiguration):
    """The environment holds a value that no setting accepts; says which and why."""


class Settings(TaskSettings, ServerSettings):
    """The backend's settings; each field's environment name is the field's in capitals."""

    # No env_file: read_settings reads it, because pydantic-settings drops a line that it cannot
    # read, and interpolates values, also those of secrets.
    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )

    sse_callback_secret: SecretStr | None = Field(
        None, description="what ?secret= of the gateway's callback must be in production"
    )
    sse_gateway_url: str | None = Field(
        None, description="base URL of a gateway to use instead of the one in this process"
    )
    sse_gateway_timeout_seconds: float = Field(
        5.0, gt=0, description="time limit of one request to that gateway, seconds"
    )
    sse_gateway_concurrency: int = Field(
        16, ge=1, le=1024, description="requests to that gateway side by side, per broadcast"
    )
    sse_internal_send: Literal["on", "off"] = Field(
        "off", description="on: POST /internal/send is served by this process too"
    )
    sse_dialect: Literal["named", "envelope"] = Field("named", description="the wire dialect")
    heartbeat_interval_seconds: int = Field(
        15, ge=1, description="a comment on every stream this often, seconds"
    )
    sse_max_buffer_bytes: int = Field(
        1024 * 1024, ge=1024, description="bytes a slow client may leave unread before it is cut"
    )
    sse_max_total_buffer_bytes: int = Field(
        256 * 1024 * 1024,
        ge=1024 * 1024,
        description="bytes all clients together may leave unread before the slowest are cut",
    )
    sse_max_connections: int | None = Field(
        None,
        ge=1,
        description="streams at a time; unset: as many as the limit on descriptors allows",
    )
    sse_max_connections_per_address: int = Field(
        1000,
        ge=1,
        description="streams at a time from one client address, of IPv6 from one /64; loopback is"
        " not counted",
    )
    sse_max_pending_connects: int = Field(
        DEFAULT_PENDING_CONNECTS,
        ge=1,
        le=MAX_PENDING_CONNECTS,
        description="connects that wait for SSE_AUTHORIZE and the connect observers at a time",
    )
    sse_client_timeout_seconds: float = Field(
        30.0,
        ge=4,
        le=86_400,  # a day; the kernel's own bound is not much higher
        description="a client whose network is gone is given up after this, seconds",
    )
    sse_authorize: str | None = Field(
        None, description="package.module:function that says who may have a stream"
    )
    sse_retry_ms: int = Field(
        3000,
        ge=100,  # less is seconds by mistake, and browsers that ask for ever
        le=600_000,
        description="browsers come back this long after a stream that broke, milliseconds",
    )
    sse_drain_retry_seconds: float = Field(
        10.0,
        gt=0,
        description="browsers come back spread over this long at most after a shutdown, seconds",
    )
    cors_origins: str = Field(
        "", description="comma-separated origins that may read streams and answers, or *"
    )
    admin_bind: str | None = Field(
        None, description="host:port for all that is no stream and no health check"
    )
    allow_open: str = Field(
        "",
        description="tasks, metrics or both, comma-separated: served to everybody who reaches the"
        " server",
    )
    allowed_hosts: str = Field(
        "",
        description="comma-separated names, without port, that the server may be asked under beside"
        " localhost; *.app.example, or * for all",
    )

    frontend_version_url: str | None = Field(
        None, description="JSON document with the frontend's current version"
    )
    frontend_version_cache_seconds: float = Field(
        5.0, ge=0, description="a fetched version is reused this long, seconds"
    )

    @field_validator("sse_gateway_url", "frontend_version_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is not None and (" " in value or not is_http_url(value)):
            raise ValueError("must be a URL such as http://host:port or https://host")
        return value

    @field_validator("sse_gateway_url")
    @classmethod
    def _is_base_url(cls, value: str | None) -> str | None:
        if value is not None and ("?" in value or "#" in value):
            raise ValueError("must be a base URL, without a query: /internal/send is appended")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        try:
            Cors.parse(value)
        except InvalidConfiguration as exc:
            raise ValueError(str(exc)) from exc
        return value

    @field_validator("allow_open")
    @classmethod
    def _are_areas(cls, value: str) -> str:
        parse_areas(value)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        HostNames(value)
        return value

    @field_validator("admin_bind")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            host, _ = split_bind(value)
            try:
                address_of(host)
            except (OSError, UnicodeError) as exc:
                raise ValueError(f"names no address: {exc}") from exc
        return value

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """Address and port of ``admin_bind``, as the listening socket will show them."""
        if self.admin_bind is None:
            return None
        host, port = split_bind(self.admin_bind)
        return address_of(host), port

    @property
    def open_areas(self) -> frozenset[Area]:
        """The areas that ``allow_open`` names."""
        return parse_areas(self.allow_open)


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and where they come from.

    Args:
        settings: the settings.
        sources: where each comes from, and what looks like a misspelt setting.
    """

    settings: Settings
    sources: SettingSources


def load_settings() -> Settings:
    """Read the settings from the environment and ``.env``.

    Raises:
        InvalidSettings: as :func:`read_settings`.
    """
    return read_settings().settings


def read_settings() -> LoadedSettings:
    """Read the settings from the environment and ``.env``, and remember which is from where.

    Raises:
        InvalidSettings: a value is not acceptable, a line of ``.env`` cannot be read, a setting is
            set twice, or some settings do not go together.
    """
    try:
        sources = read_sources(Settings.model_fields.keys())
    except (InvalidDotenv, AmbiguousSetting) as exc:
        raise InvalidSettings(str(exc)) from exc
    from_dotenv: dict[str, Any] = {name: each.value for name, each in sources.dotenv.items()}
    try:
        settings = Settings(**from_dotenv)
    except ValidationError as exc:
        raise InvalidSettings("; ".join(_problems(exc, sources))) from exc
    problem = combination_problem(settings)
    if problem is not None:
        raise InvalidSettings(problem)
    return LoadedSettings(settings, sources)


def _problems(exc: ValidationError, sources: SettingSources) -> list[str]:
    lines = []
    for error in exc.errors():
        name = ".".join(str(part) for part in error["loc"])
        reason = error["msg"].removeprefix("Value error, ")
        value = Redactor().text(repr(error["input"]))
        place = sources.place_of(name)
        lines.append(f"{name.upper()}: {reason} (it is {value}{f', in {place}' if place else ''})")
    return lines
