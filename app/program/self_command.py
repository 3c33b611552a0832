"""Commands that start this program again, from its source or from its binary.

In the binary, ``sys.executable`` is the binary and not a Python interpreter. The option ``-m``
works there only because packaging/entry.py supports it, and only for this program's own modules.
"""

from __future__ import annotations

import sys

__all__ = ["is_binary", "module_command", "self_command"]


def is_binary() -> bool:
    """Return whether this program runs from the one-file binary."""
    return bool(getattr(sys, "frozen", False))


def self_command() -> list[str]:
    """Return the command that starts ``sse-monolith``; append its arguments."""
    return [sys.executable] if is_binary() else [sys.executable, "-m", "app"]


def module_command(module: str) -> list[str]:
    """Return the command that runs one of this program's modules, as ``python -m`` does.

    Args:
        module: the module's full name, below ``app`` or ``gateway_shim``.
    """
    return [sys.executable, "-m", module]
