"""The fields that every log line of this process has."""

from __future__ import annotations

__all__ = ["process_fields", "set_process_fields"]

_fields: dict[str, object] = {}


def set_process_fields(**fields: object) -> None:
    """Set the fields that every log line has from now on. A second call replaces the first.

    A forked process begins with the fields of its parent.

    Args:
        fields: the fields by name. A record that has a field of that name keeps its own.
    """
    global _fields
    _fields = fields


def process_fields() -> dict[str, object]:
    """Return the fields that :func:`set_process_fields` has set."""
    return _fields
