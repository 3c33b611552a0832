"""The sources of settings: the environment, and the file ``.env`` in the working directory."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.config.reading.dotenv_file import Assignment, read_dotenv
from app.config.reading.names import find_misspelt

__all__ = ["AmbiguousSetting", "SettingSources", "Source", "read_sources"]

_DOTENV = Path(".env")


class AmbiguousSetting(ValueError):
    """A setting has two values in the environment. The message has both names."""


class Source(StrEnum):
    """The source of one setting."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    DOTENV = ".env"


@dataclass(frozen=True, slots=True)
class SettingSources:
    """The settings that are set, and their sources.

    Args:
        environment: the names, in lower case, of the settings that the environment sets.
        dotenv: the assignments of ``.env`` that take effect, by the setting's name in lower case.
        warnings: a line for each name that looks like a misspelled setting.
    """

    environment: frozenset[str]
    dotenv: Mapping[str, Assignment]
    warnings: tuple[str, ...]

    def source_of(self, name: str) -> Source:
        """Return the source of a setting.

        Args:
            name: the setting's name in lower case.
        """
        if name in self.environment:
            return Source.ENVIRONMENT
        return Source.DOTENV if name in self.dotenv else Source.DEFAULT

    def place_of(self, name: str) -> str:
        """Return the place of a setting in ``.env``, for a message; empty if it is not there."""
        if name not in self.dotenv:
            return ""
        return f"{_DOTENV} line {self.dotenv[name].line}"


def read_sources(names: Collection[str]) -> SettingSources:
    """Read the environment and ``.env``.

    The environment takes precedence, and an empty value counts as unset.

    Args:
        names: the names of the settings in lower case.

    Raises:
        InvalidDotenv: ``.env``, or a line of it, cannot be read.
        AmbiguousSetting: the environment has two values of a setting, as ``PORT`` and ``port``.
    """
    assigned = read_dotenv(_DOTENV, names)
    environment = _environment(names)
    dotenv = {
        name: assignment
        for assignment in assigned
        for name in [assignment.name.lower()]
        if name in names and name not in environment and assignment.value
    }
    return SettingSources(environment, dotenv, _warnings(assigned, names))


def _environment(names: Collection[str]) -> frozenset[str]:
    spelt: dict[str, str] = {}
    for spelling, value in os.environ.items():
        name = spelling.lower()
        if not value or name not in names:
            continue
        other = spelt.setdefault(name, spelling)
        if os.environ[other] != value:  # their order would decide which value takes effect
            both = " and ".join(sorted((other, spelling)))
            raise AmbiguousSetting(f"{both} are both in the environment; keep one of the two")
    return frozenset(spelt)


def _warnings(assigned: list[Assignment], names: Collection[str]) -> tuple[str, ...]:
    known = {name.upper() for name in names}
    lines = {assignment.name: assignment.line for assignment in assigned}
    found = [
        (misspelt, f"{_DOTENV} line {lines[misspelt.name]}")
        for misspelt in find_misspelt(lines, known, in_environment=False)
    ]
    found += [
        (misspelt, "the environment")
        for misspelt in find_misspelt(os.environ, known, in_environment=True)
    ]
    return tuple(
        f"{misspelt.name} in {place} is not a setting"
        + (f"; did you mean {misspelt.nearest}?" if misspelt.nearest else "")
        for misspelt, place in found
    )
