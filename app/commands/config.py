"""``sse-monolith config``: the effective settings, and where each comes from."""

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
        name: its name in the environment.
        value: as JSON would have it; a secret is masked.
        source: where it comes from.
    """

    name: str
    value: Any
    source: Source


def effective(loaded: LoadedSettings) -> list[Entry]:
    """Every setting, in the order of the class.

    Args:
        loaded: the settings as they were read from the environment and ``.env``.
    """
    redactor = make_redactor(loaded.settings)
    return [
        Entry(
            field.upper(),
            None if value is None else redactor.field(field, value),
            loaded.sources.source_of(field),
        )
        for field in Settings.model_fields
        for value in [getattr(loaded.settings, field)]
    ]


@click.command("config")
@click.option("--json", "as_json", is_flag=True, help="A JSON object instead of a table.")
def config_command(as_json: bool) -> None:
    """Print the settings in effect, secrets masked, and where each comes from."""
    try:
        loaded = read_settings()
    except InvalidSettings as exc:
        raise click.ClickException(str(exc)) from exc
    for warning in loaded.sources.warnings:
        click.echo(f"Warning: {warning}", err=True)
    entries = effective(loaded)
    if as_json:
        shown = {e.name: {"value": e.value, "source": e.source} for e in entries}
        click.echo(json.dumps(shown, indent=2))
        return
    rows = [(e.name, _shown(e.value), e.source) for e in entries]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, source in rows:
        click.echo(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}")


def _shown(value: Any) -> str:
    if value is None:
        return "(unset)"
    return "(empty)" if value == "" else escape(str(value))
