"""The version of the application."""

from __future__ import annotations

import importlib.metadata

__all__ = ["DISTRIBUTION", "application_version"]

DISTRIBUTION = "sse-monolith"


def application_version() -> str:
    """Return the installed distribution's version; ``0.0.0+unknown`` if it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0+unknown"
