"""The command ``sse-monolith``: its name, its help, and where each of its commands is."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from gateway_shim.log_lines.output import guarded_output
from gateway_shim.server.process.start_signals import START

__all__ = ["COMMANDS", "command_group"]

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
"""Each command's place.

Only the one that runs is imported: it starts sooner, and what gevent must patch before anybody
imports it, for ``serve``, is not imported for the sake of another command.
"""

_SERVERS = ("gateway", "serve")


class _Commands(click.Group):
    def main(self, *args: Any, **kwargs: Any) -> Any:
        with guarded_output():  # for all commands, their help included
            return super().main(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        if cmd_name not in _SERVERS:
            START.give_back_interrupt()
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sse-monolith")
def command_group() -> None:
    """A Flask backend and its Server-Sent Events gateway in one process."""
