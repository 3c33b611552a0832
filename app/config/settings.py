"""All settings of the backend.

The settings of each topic are a class in a separate module. :mod:`app.config.loader` reads them.
"""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from app.config.access_settings import AccessSettings
from app.config.gateway_settings import GatewaySettings
from app.config.log_settings import LogSettings
from app.config.request_settings import RequestSettings
from app.config.server_settings import ServerSettings
from app.config.stream_settings import StreamSettings
from app.config.task_settings import TaskSettings
from app.config.version_settings import VersionSettings
from gateway_shim.errors import InvalidConfiguration

__all__ = ["InvalidSettings", "Settings"]


class InvalidSettings(InvalidConfiguration):
    """A setting has a value that cannot be used. The message says which setting, and why."""


# pydantic lists the fields of the last base first.
class Settings(
    VersionSettings,
    GatewaySettings,
    TaskSettings,
    LogSettings,
    RequestSettings,
    AccessSettings,
    StreamSettings,
    ServerSettings,
):
    """The backend's settings. A field's name in the environment is its name in capitals."""

    # No env_file: read_settings reads the file, because pydantic-settings ignores a line that it
    # cannot read, and replaces ${NAME} in values, including those of secrets.
    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
    )
