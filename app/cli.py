"""``sse-monolith`` and ``python -m app``: where the program starts."""

from __future__ import annotations

import sys

from gateway_shim.server.process.start_signals import START

__all__ = ["main"]


def main(prog_name: str | None = None) -> None:
    """Run the command that the arguments name.

    Args:
        prog_name: what the help calls the program; None: as it was called.
    """
    # Before the commands are imported: a signal must not find the program in mid-import.
    START.begin(remember_hangup=sys.argv[1:2] == ["serve"])
    from app.commands.group import command_group

    command_group(prog_name=prog_name)
