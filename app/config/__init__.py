"""The settings of the backend, and the functions that read them."""

from __future__ import annotations

from app.config.loader import LoadedSettings, load_settings, read_settings
from app.config.settings import InvalidSettings, Settings

__all__ = ["InvalidSettings", "LoadedSettings", "Settings", "load_settings", "read_settings"]
