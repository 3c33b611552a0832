"""How to start this program again, from its source and from its binary alike.

In the binary ``sys.executable`` is the binary itself and no Python: ``-m`` works only through
packaging/entry.py, and only for modules of our own.
"""

from __future__ import annotations

import sys

__all__ = ["is_binary", "module_command", "self_command"]


def is_binary() -> bool:
    """Whether this program runs from the one-file binary."""
    return bool(getattr(sys, "frozen", False))


def self_command() -> list[str]:
    """What starts ``sse-monolith``; its arguments come after it."""
    return [sys.executable] if is_binary() else [sys.executable, "-m", "app"]


def module_command(module: str) -> list[str]:
    """What runs one of our own modules as a program, as ``python -m`` does.

    Args:
        module: its full name, below ``app`` or ``gateway_shim``.
    """
    return [sys.executable, "-m", module]
