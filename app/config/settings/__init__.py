"""All settings of the backend.

Each topic has a module with its settings and their defaults. This module only joins them;
:mod:`app.config.loader` reads them.
"""

from __future__ import annotations

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.access.exposure import OpenAreas
from app.config.settings.access import AccessSettings
from app.config.settings.bus import BusSettings
from app.config.settings.gateway import GatewaySettings
from app.config.settings.log import LogSettings
from app.config.settings.replay import ReplaySettings
from app.config.settings.request import RequestSettings
from app.config.settings.server import ServerSettings
from app.config.settings.stream import StreamSettings
from app.config.settings.task import TaskSettings
from app.config.settings.version import VersionSettings
from gateway_shim.errors import InvalidConfiguration

__all__ = ["InvalidSettings", "Settings"]


class InvalidSettings(InvalidConfiguration):
    """A setting has a value that cannot be used. The message says which setting, and why."""


# pydantic lists the fields of the last base first.
class Settings(
    VersionSettings,
    GatewaySettings,
    BusSettings,
    TaskSettings,
    LogSettings,
    RequestSettings,
    AccessSettings,
    ReplaySettings,
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the arguments and the environment, the only sources of values.

        The source that reads a file takes as long as the environment, even without a file.
        """
        return init_settings, env_settings

    @property
    def replays(self) -> bool:
        """True if this process replays events to browsers; a gateway behind HTTP does not."""
        return self.sse_replay == "on" and self.sse_gateway_url is None

    @property
    def areas(self) -> OpenAreas:
        """The parts of the API that are served at each address."""
        return OpenAreas(
            self.open_areas,
            self.admin_address,
            production=self.is_production,
            has_password=self.sse_console_password is not None,
        )
