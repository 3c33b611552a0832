"""``sse-monolith check``: check that a server could start, without starting one."""

from __future__ import annotations

from gateway_shim.event_loop.patching import patch_process

patch_process()  # before the other imports, as in the worker

# ruff: noqa: E402 - the patch comes first
import click

from app import create_app
from app.config import read_settings
from app.config.combinations import safety_hints
from app.services.bus.checking import look_at_bus
from app.serving.gunicorn_settings import CAN_START, gunicorn_options
from app.serving.log_place import check_log_place
from gateway_shim.errors import InvalidConfiguration

__all__ = ["check_command"]


@click.command("check")
def check_command() -> None:
    """Check that a server could start with these settings.

    Reads the settings and the certificate, looks at the state directory, and imports the tasks and
    the hook. Does not listen. A server runs this check before it reloads. The exit status is 0 if a
    server could start; otherwise it is 1, and the output says why.

    With SSE_BUS_URL, looks at Redis, too. What can lose events there is a warning. So is a Redis
    that does not answer, because a server starts without it.
    """
    try:
        loaded = read_settings()
        for warning in loaded.sources.warnings:
            click.echo(f"Warning: {warning}", err=True)
        for hint in safety_hints(loaded.settings):
            click.echo(f"Hint: {hint}", err=True)
        gunicorn_options(loaded.settings)
        check_log_place(loaded.settings)
        for warning in look_at_bus(loaded.settings):
            click.echo(f"Warning: {warning}", err=True)
        create_app(loaded.settings)
    except InvalidConfiguration as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(CAN_START)
