"""The tasks that come with the application."""

from __future__ import annotations

__all__: list[str] = []
