"""The options that several commands share, and the objects that their values stand for."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

import click

from gateway_shim.parity.judge import recording
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios import SCENARIOS

__all__ = [
    "Unusable",
    "dialect",
    "environment",
    "jobs",
    "junit",
    "load_recording",
    "only",
    "selected",
    "verbose",
]

_DIALECT_VARIABLE = "SSE_DIALECT"

dialect = click.option(
    "--dialect",
    type=click.Choice(["named", "envelope"]),
    help="Given to CMD as SSE_DIALECT; for run, it also chooses the recording.",
)
only = click.option(
    "--only", metavar="PATTERN", help="Play only these scenarios, for example 'send_*'."
)
jobs = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="The largest number of shared gateways. Some scenarios start their own in addition.",
)
junit = click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write JUnit XML to this file, too.",
)
verbose = click.option("-v", "--verbose", is_flag=True, help="Print a row for each case.")


class Unusable(click.ClickException):
    """The run is impossible; the exit status is 2."""

    exit_code = 2


def environment(dialect: str | None) -> tuple[tuple[str, str], ...]:
    """Return the environment that tells a gateway its dialect; empty without ``--dialect``."""
    return () if dialect is None else ((_DIALECT_VARIABLE, dialect),)


def load_recording(name: str) -> recording.Recording:
    """Read the recording that ``--against`` names.

    Raises:
        Unusable: the recording does not exist or cannot be read.
    """
    try:
        return recording.load(name)
    except recording.BadRecording as exc:
        raise Unusable(str(exc)) from exc


def selected(only: str | None) -> Sequence[Scenario]:
    """Return the scenarios that ``--only`` selects by name or id; all without the option.

    Raises:
        Unusable: there is no such scenario.
    """
    chosen = [
        s
        for s in SCENARIOS
        if only is None or any(fnmatch.fnmatchcase(name, only) for name in (s.id, s.name))
    ]
    if not chosen:
        raise Unusable(f"--only {only} matches no scenario")
    return chosen
