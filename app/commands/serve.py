"""``sse-monolith serve``: the backend, streams included."""

from __future__ import annotations

import os
from typing import Any

import click

from app.config import load_settings, read_settings
from app.logs import configure_logging, log_warnings
from app.serving.gunicorn_settings import gunicorn_options
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.server.options import GunicornServer, check_address

__all__ = ["serve_command"]


@click.command()
@click.option("--host", help="Address to listen on. [env: HOST; default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port. [env: PORT; default: 5000]")
@click.option("--certfile", help="TLS certificate chain, PEM. [env: CERTFILE]")
@click.option("--keyfile", help="TLS private key, PEM. [env: KEYFILE]")
@click.option("--reload", is_flag=True, help="Start anew whenever the code changes.")
def serve_command(
    host: str | None, port: int | None, certfile: str | None, keyfile: str | None, reload: bool
) -> None:
    """Run the backend, streams included.

    Settings come from the environment and from .env; "sse-monolith config" shows them.
    """
    # Into the environment, so that the worker's own settings are the same.
    given = {"HOST": host, "PORT": port, "CERTFILE": certfile, "KEYFILE": keyfile}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    try:
        settings = load_settings()
        check_address(settings.host, settings.port)
        if settings.admin_address is not None:
            check_address(*settings.admin_address, setting="ADMIN_BIND")
        options = gunicorn_options(settings)
    except InvalidConfiguration as exc:
        raise click.ClickException(str(exc)) from exc
    configure_logging(settings)

    def load() -> Any:
        from app import create_app

        # Anew in each worker: a reload may find another level or format in .env.
        loaded = read_settings()
        configure_logging(loaded.settings)
        log_warnings(loaded.sources)
        return create_app(loaded.settings)

    GunicornServer(load, options | {"reload": reload}).run()
