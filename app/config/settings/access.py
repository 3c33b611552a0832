"""The settings of access: which clients may request what, and at which address."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from app.access.exposure import Area, parse_areas
from app.access.host_names import HostNames
from app.access.listening_addresses import resolve_host
from app.config.reading.value_error import as_value_error
from gateway_shim.server.addresses import split_bind
from gateway_shim.streams.config import Cors

__all__ = ["AccessSettings"]

_MIN_PASSWORD_CHARACTERS = 8


class AccessSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for access and its limits."""

    sse_callback_secret: SecretStr | None = Field(
        None,
        description="The secret that a gateway's callbacks must carry in production, in"
        " `?secret=` or in the header `X-SSE-Secret`. Production does not start without it.",
    )
    sse_authorize: str | None = Field(
        None,
        description="The function that decides who may open a stream, as"
        " `package.module:function`. Unset: everyone may.",
    )
    cors_origins: str = Field(
        "",
        description="The other origins whose pages may open streams, write, and read answers:"
        " comma-separated, or `*` for all. A listed origin may send cookies, `*` may not.",
    )
    admin_bind: str | None = Field(
        None,
        description="A second address, as `host:port`, for the tasks API, the metrics and"
        " everything else that is neither a stream nor a health check. The public address then"
        " serves only streams, health checks and the areas of ALLOW_OPEN.",
    )
    allow_open: str = Field(
        "",
        description="The areas that are open to everyone who reaches the server: `tasks`,"
        " `metrics` or both, comma-separated.",
    )
    sse_console_password: SecretStr | None = Field(
        None,
        description="The password of the console at `/console`, 8 characters or more. Unset: the"
        " console is open to this machine in development, and off in production. A new password"
        " signs everybody out.",
    )
    allowed_hosts: str = Field(
        "",
        description="The host names under which requests may reach the server, besides localhost:"
        " comma-separated, without port. `*.app.example` is every name below `app.example`, `*`"
        " every name.",
    )
    sse_internal_send: Literal["on", "off"] = Field(
        "off",
        description="`on`: this process serves `POST /internal/send` too, as a gateway on its own"
        " port does. In production it needs the secret.",
    )

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: str) -> str:
        with as_value_error():
            Cors.parse(value)
        return value

    @field_validator("allow_open")
    @classmethod
    def _check_areas(cls, value: str) -> str:
        parse_areas(value)
        return value

    @field_validator("sse_console_password")
    @classmethod
    def _check_password(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().strip()) < _MIN_PASSWORD_CHARACTERS:
            raise ValueError(
                f"the password must have {_MIN_PASSWORD_CHARACTERS} characters or more, without"
                " the spaces at its ends"
            )
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: str) -> str:
        HostNames(value)
        return value

    @field_validator("admin_bind")
    @classmethod
    def _check_admin_bind(cls, value: str | None) -> str | None:
        if value is not None:
            host, _ = split_bind(value)
            try:
                resolve_host(host)
            except (OSError, UnicodeError) as exc:
                raise ValueError(f"the host has no address: {exc}") from exc
        return value

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """The address and port of ``admin_bind``, as the listening socket reports them."""
        if self.admin_bind is None:
            return None
        host, port = split_bind(self.admin_bind)
        return resolve_host(host), port

    @property
    def open_areas(self) -> frozenset[Area]:
        """The areas that ``allow_open`` names."""
        return parse_areas(self.allow_open)
