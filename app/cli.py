"""The command line of the program, ``sse-monolith`` and ``python -m app``: the list of commands."""

from __future__ import annotations

import sys

from gateway_shim.server.process.start_signals import START

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "bench": "app.bench.command:bench_command",
    "check": "app.commands.check:check_command",
    "config": "app.commands.config:config_command",
    "gateway": "gateway_shim.standalone.command:gateway_command",
    "healthcheck": "app.commands.healthcheck:healthcheck_command",
    "licenses": "app.commands.licenses:licenses_command",
    "parity": "gateway_shim.parity.cli:parity",
    "serve": "app.commands.serve:serve_command",
    "version": "app.commands.version:version_command",
    "watch": "app.watch.command:watch_command",
}
"""The module and the attribute of each command.

Only the command that runs is imported. So the program starts sooner, and no other command imports
modules that gevent must patch first for ``serve``.
"""


def main(prog_name: str | None = None) -> None:
    """Run the command that the arguments name.

    Args:
        prog_name: the program's name in the help; None for the name that the user typed.
    """
    START.begin(remember_hangup=sys.argv[1:2] == ["serve"])
    # Imported only now, because the import takes a good part of a second. A signal that arrives
    # meanwhile must end the program, or be remembered, and not raise KeyboardInterrupt.
    from app.commands.group import command_group

    command_group(COMMANDS)(prog_name=prog_name)
