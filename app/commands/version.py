"""``sse-monolith version``: what runs here."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from app.program.build_info import BuildInfo, build_info
from app.program.version import DISTRIBUTION, application_version

__all__ = ["lines", "version_command"]


def lines(build: BuildInfo | None) -> list[tuple[str, str]]:
    """What there is to say, as pairs of a name and a text.

    Args:
        build: None: the program runs from its source.
    """
    said = [
        (DISTRIBUTION, application_version()),
        ("python", platform.python_version()),
        ("gevent", version("gevent")),
        ("gunicorn", version("gunicorn")),
    ]
    if build is None:
        return [*said, ("build", "none, it runs from its source")]
    return [
        *said,
        ("build", f"commit {build.commit} of {build.date}, {build.builder}"),
        ("needs", f"Linux {platform.machine()}, glibc {build.glibc} or later"),
    ]


@click.command("version")
def version_command() -> None:
    """Print the versions of this program and of what it stands on."""
    said = lines(build_info())
    width = max(len(name) for name, _ in said)
    for name, text in said:
        click.echo(f"{name:{width}}  {text}")
