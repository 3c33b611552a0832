"""The settings of the backend, and where they are read from."""

from __future__ import annotations

from app.config.settings import (
    InvalidSettings,
    LoadedSettings,
    Settings,
    load_settings,
    read_settings,
)

__all__ = ["InvalidSettings", "LoadedSettings", "Settings", "load_settings", "read_settings"]
