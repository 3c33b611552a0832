"""The command ``version``."""

from __future__ import annotations

import importlib.metadata
import platform

from click.testing import CliRunner

from app.commands.version import lines, version_command
from app.program.build_info import BuildInfo

BUILD = BuildInfo("c0ffee", "2026-01-02T03:04:05Z", "Packer 1", "2.31", "libx.so")


def test_from_the_source() -> None:
    """From the source, the installed versions are printed, and that there is no build."""
    assert lines(None) == [
        ("sse-monolith", importlib.metadata.version("sse-monolith")),
        ("python", platform.python_version()),
        ("gevent", importlib.metadata.version("gevent")),
        ("gunicorn", importlib.metadata.version("gunicorn")),
        ("build", "none; the program runs from its source"),
    ]


def test_in_the_binary() -> None:
    """In the binary, the build and its requirements are printed."""
    assert lines(BUILD)[4:] == [
        ("build", "commit c0ffee of 2026-01-02T03:04:05Z, Packer 1"),
        ("needs", f"Linux {platform.machine()}, glibc 2.31 or later"),
    ]


def test_the_command() -> None:
    """The output has one line for each version, in columns."""
    result = CliRunner().invoke(version_command)
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"{name:12}  {text}" for name, text in lines(None)]
