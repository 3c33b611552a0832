"""The entry point of the program: ``sse-monolith`` and ``python -m app``."""

from __future__ import annotations

import sys

from gateway_shim.server.process.start_signals import START

__all__ = ["main"]


def main(prog_name: str | None = None) -> None:
    """Run the command that the arguments name.

    Args:
        prog_name: the program's name in the help; None for the name that the user typed.
    """
    START.begin(remember_hangup=sys.argv[1:2] == ["serve"])
    # Imported only now, because the import takes a good part of a second. A signal that arrives
    # meanwhile must end the program, or be remembered, and not raise KeyboardInterrupt.
    from app.commands.group import command_group

    command_group(prog_name=prog_name)
