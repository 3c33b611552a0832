"""``sse-monolith check``: whether a server could start, before one is asked to."""

from __future__ import annotations

import click

from app.config import read_settings
from app.config.combinations import safety_hints
from app.serving.gunicorn_settings import CAN_START, gunicorn_options
from gateway_shim.errors import InvalidConfiguration

__all__ = ["check_command"]


@click.command("check")
def check_command() -> None:
    """Find out whether a server could start with these settings.

    Reads the settings and the certificate, imports the tasks and the hook, and listens nowhere.
    A server asks so itself before it reloads. Exit status 0 if it could, else 1 and why not.
    """
    # As in the worker: before anything of the application is imported.
    from gateway_shim.event_loop.patching import patch_process

    patch_process()
    from app import create_app

    try:
        loaded = read_settings()
        for warning in loaded.sources.warnings:
            click.echo(f"Warning: {warning}", err=True)
        for hint in safety_hints(loaded.settings):
            click.echo(f"Hint: {hint}", err=True)
        gunicorn_options(loaded.settings)
        create_app(loaded.settings)
    except InvalidConfiguration as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(CAN_START)
