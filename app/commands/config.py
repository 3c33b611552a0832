"""The command ``sse-monolith config``: print every setting, and where its value comes from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from app.config import InvalidSettings, LoadedSettings, Settings, read_settings
from app.config.sources import Source
from app.logs import make_redactor
from gateway_shim.log_lines.redaction import escape

__all__ = ["Entry", "config_command", "effective"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting.

    Args:
        name: the setting's name in the environment.
        value: the value, as in JSON; a secret is masked.
        source: the source of the value.
    """

    name: str
    value: Any
    source: Source


def effective(loaded: LoadedSettings) -> list[Entry]:
    """Return every setting, in the order of :class:`~app.config.Settings`.

    Args:
        loaded: the settings that were read from the environment and ``.env``.
    """
    redactor = make_redactor(loaded.settings)
    return [
        Entry(
            field.upper(),
            None if value is None else redactor.field(field, value),
            loaded.sources.source_of(field),
        )
        for field in Settings.model_fields
        for value in [_shown(loaded.settings, field)]
    ]


def _shown(settings: Settings, field: str) -> Any:
    """Return a setting's value; of the URL of Redis, what is no secret."""
    if field == "sse_bus_url" and settings.bus is not None:
        return str(settings.bus)
    return getattr(settings, field)


@click.command("config", short_help="Print every setting and where its value comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of a table.")
def config_command(as_json: bool) -> None:
    """Print every setting, its value and the source of the value.

    Settings come from the environment, from the file .env in the current folder, or from their
    defaults. Secrets are masked.
    """
    try:
        loaded = read_settings()
    except InvalidSettings as exc:
        raise click.ClickException(str(exc)) from exc
    for warning in loaded.sources.warnings:
        click.echo(f"Warning: {warning}", err=True)
    entries = effective(loaded)
    if as_json:
        document = {e.name: {"value": e.value, "source": e.source} for e in entries}
        click.echo(json.dumps(document, indent=2))
        return
    rows = [(e.name, _value_text(e.value), e.source) for e in entries]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        click.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}")


def _value_text(value: Any) -> str:
    if value is None:
        return "(unset)"
    return "(empty)" if value == "" else escape(str(value))
