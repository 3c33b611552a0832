"""Background tasks: the base class, the registry by name, and the service that runs them."""

from __future__ import annotations

__all__: list[str] = []
