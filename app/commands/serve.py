"""``sse-monolith serve``: run the backend, streams included."""

from __future__ import annotations

from gateway_shim.event_loop.patching import patch_arbiter

patch_arbiter()  # before the other imports, which the serving process inherits

# ruff: noqa: E402 - the patch comes first
import os
from typing import Any

import click

from app import create_app
from app.config import load_settings, read_settings
from app.logs import configure_logging, log_warnings
from app.serving.gunicorn_settings import gunicorn_options
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.places.place import MAX_WORKERS
from gateway_shim.server.gunicorn_application import GunicornApplication
from gateway_shim.server.preflight import check_address

__all__ = ["serve_command"]


@click.command()
@click.option("--host", help="Address to listen on. [env: HOST; default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port. [env: PORT; default: 5000]")
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    help="Worker processes. [env: WEB_CONCURRENCY; default: 1]",
)
@click.option("--certfile", help="TLS certificate chain, PEM. [env: CERTFILE]")
@click.option("--keyfile", help="TLS private key, PEM. [env: KEYFILE]")
@click.option("--reload", is_flag=True, help="Restart the worker whenever the code changes.")
def serve_command(
    host: str | None,
    port: int | None,
    workers: int | None,
    certfile: str | None,
    keyfile: str | None,
    reload: bool,
) -> None:
    """Run the backend, streams included.

    Settings come from the environment and from .env; "sse-monolith config" shows them.
    """
    # The worker reads its settings from the environment, so the options are put there.
    given = {
        "HOST": host,
        "PORT": port,
        "WEB_CONCURRENCY": workers,
        "CERTFILE": certfile,
        "KEYFILE": keyfile,
    }
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
    GunicornApplication(_make_application, options | {"reload": reload}).run()


def _make_application() -> Any:
    """Make the application in the worker, with the present settings.

    Each worker reads the settings again, because .env may have changed before a reload.
    """
    loaded = read_settings()
    configure_logging(loaded.settings)
    log_warnings(loaded.sources)
    return create_app(loaded.settings)
