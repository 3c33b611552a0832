"""The command ``sse-monolith``: its help, its first steps, and how its commands are imported."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from gateway_shim.log_lines.output import guarded_output
from gateway_shim.server.process.gunicorn_import import gunicorn_importable
from gateway_shim.server.process.start_signals import START

__all__ = ["NO_COMMAND_STATUS", "command_group", "first_steps"]

NO_COMMAND_STATUS = 2
"""The exit status without a command, the same as for wrong usage."""

_SERVERS = ("gateway", "serve")

_FIRST_STEPS = """\
{program}: a Flask backend and its Server-Sent Events gateway in one process.

1. Start the server:
     {program} serve

2. Open a stream, in a second terminal:
     curl -N 'http://127.0.0.1:5000/api/sse/stream?request_id=me'
   or watch its events, one per line:
     {program} watch http://127.0.0.1:5000

3. Start a task, in a third terminal. Its progress arrives on the stream:
     curl http://127.0.0.1:5000/api/tasks -H 'Content-Type: application/json' \\
       -d '{{"task_type":"demo_task"}}'

More:
  {program} config            shows every setting and where its value comes from.
  {program} --help            lists all commands.
  {program} COMMAND --help    shows the options of a command.
"""


def first_steps(program: str) -> str:
    """Return the text that is shown if no command is given.

    Args:
        program: the name under which the program was called.
    """
    return _FIRST_STEPS.format(program=program)


class _Commands(click.Group):
    def __init__(self, places: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._places = places  # the module and the attribute of each command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        with guarded_output():  # for all commands, their help included
            return super().main(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(first_steps(ctx.command_path), err=True, nl=False)
            ctx.exit(NO_COMMAND_STATUS)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        module, _, name = self._places[cmd_name].partition(":")
        with gunicorn_importable():
            command: click.Command = getattr(import_module(module), name)
        if cmd_name not in _SERVERS:
            START.give_back_interrupt()
        return command


def command_group(places: Mapping[str, str]) -> click.Group:
    """Make the command ``sse-monolith``.

    Args:
        places: the module and the attribute of each command, such as ``"package.module:name"``.
            A command is imported when it runs.
    """
    group = _Commands(
        places,
        help="Run a Flask backend and its Server-Sent Events gateway in one process.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    return click.version_option(package_name="sse-monolith")(group)
