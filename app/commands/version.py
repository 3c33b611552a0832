"""The command ``sse-monolith version``: print the versions of this program and its libraries."""

from __future__ import annotations

import platform
from importlib.metadata import version

import click

from app.program.build_info import BuildInfo, build_info
from app.program.version import DISTRIBUTION, application_version

__all__ = ["lines", "version_command"]


def lines(build: BuildInfo | None) -> list[tuple[str, str]]:
    """Return the lines of the output, as pairs of a name and a text.

    Args:
        build: the build of the binary; None if the program runs from its source.
    """
    versions = [
        (DISTRIBUTION, application_version()),
        ("python", platform.python_version()),
        ("gevent", version("gevent")),
        ("gunicorn", version("gunicorn")),
    ]
    if build is None:
        return [*versions, ("build", "none; the program runs from its source")]
    return [
        *versions,
        ("build", f"commit {build.commit} of {build.date}, {build.builder}"),
        ("needs", f"Linux {platform.machine()}, glibc {build.glibc} or later"),
    ]


@click.command("version")
def version_command() -> None:
    """Print the versions of this program and of its main libraries."""
    printed = lines(build_info())
    width = max(len(name) for name, _ in printed)
    for name, text in printed:
        click.echo(f"{name:{width}}  {text}")
