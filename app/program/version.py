"""The application's own version."""

from __future__ import annotations

import importlib.metadata

__all__ = ["DISTRIBUTION", "application_version"]

DISTRIBUTION = "sse-monolith"


def application_version() -> str:
    """What the installed distribution says; ``0.0.0+unknown`` when it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "0.0.0+unknown"
