"""The memory of tasks: saved by their processes, and taken over when a process has ended."""

from __future__ import annotations

__all__: list[str] = []
