"""The settings of a gateway that another process serves."""

from __future__ import annotations

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from app.config.http_url import HttpUrl

__all__ = ["GatewaySettings"]


class GatewaySettings(BaseSettings):
    """The part of :class:`app.config.Settings` for a gateway behind HTTP."""

    sse_gateway_url: HttpUrl | None = Field(
        None,
        description="The base URL of a gateway that serves the streams instead of this process.",
    )
    sse_gateway_timeout_seconds: float = Field(
        5.0, gt=0, description="The time limit of one request to that gateway."
    )
    sse_gateway_concurrency: int = Field(
        16,
        ge=1,
        le=1024,
        description="The maximum number of requests to that gateway at a time.",
    )

    @field_validator("sse_gateway_url")
    @classmethod
    def _check_base_url(cls, value: str | None) -> str | None:
        if value is not None and ("?" in value or "#" in value):
            raise ValueError("must be a base URL, without a query: /internal/send is appended")
        return value
