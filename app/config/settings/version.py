"""The settings of the frontend version that is sent to browsers."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings

from app.config.http_url import HttpUrl

__all__ = ["VersionSettings"]


class VersionSettings(BaseSettings):
    """The part of :class:`app.config.Settings` for the frontend version."""

    frontend_version_url: HttpUrl | None = Field(
        None,
        description="The URL of a JSON document with the frontend's current version. Unset: the"
        " version of this server is sent.",
    )
    frontend_version_cache_seconds: float = Field(
        5.0, ge=0, description="The time for which a fetched version is used again."
    )
