"""The pydantic payloads of the HTTP API."""

from __future__ import annotations

__all__: list[str] = []
