"""The command ``sse-monolith licenses``: print the licenses of all parts of this program."""

from __future__ import annotations

import click

from app.program.licenses import Component, components

__all__ = ["licenses_command"]


@click.command("licenses")
@click.option("--short", is_flag=True, help="Print only names, versions and names of licenses.")
def licenses_command(short: bool) -> None:
    """Print the licenses of all parts of this program.

    First comes a list of the parts, with name, version and license. The texts of the licenses
    follow.
    """
    listed = components()
    click.echo("\n".join(map(_title, listed)))
    if not short:
        for component in listed:
            text = component.text.strip() or "(It comes without a license text.)"
            click.echo(f"\n{'=' * 78}\n{_title(component)}\n{'=' * 78}\n\n{text}")


def _title(component: Component) -> str:
    return f"{component.name} {component.version}".strip() + f": {component.licence}"
