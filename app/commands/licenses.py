"""``sse-monolith licenses``: what this program is made of, and under which licences."""

from __future__ import annotations

import click

from app.program.licenses import Component, components

__all__ = ["licenses_command"]


@click.command("licenses")
@click.option("--short", is_flag=True, help="Names, versions and licences only.")
def licenses_command(short: bool) -> None:
    """Print name, version, licence and licence text of everything in this program."""
    listed = components()
    click.echo("\n".join(map(_title, listed)))
    if not short:
        for component in listed:
            text = component.text.strip() or "(It brings no licence text.)"
            click.echo(f"\n{'=' * 78}\n{_title(component)}\n{'=' * 78}\n\n{text}")


def _title(component: Component) -> str:
    return f"{component.name} {component.version}".strip() + f": {component.licence}"
