"""Reads the settings from the environment, or from the file ``.env`` in the working directory.

The environment takes precedence, and an empty value counts as unset. Nothing else in the package
reads the environment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from app.config.combinations import combination_problem
from app.config.reading.dotenv_file import InvalidDotenv
from app.config.settings import InvalidSettings, Settings
from app.config.sources import AmbiguousSetting, SettingSources, read_sources
from gateway_shim.log_lines.redaction import MASK, Redactor

__all__ = ["LoadedSettings", "load_settings", "read_settings"]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings and their sources.

    Args:
        settings: the settings.
        sources: the source of each setting, and the names that look like misspelled settings.
    """

    settings: Settings
    sources: SettingSources


def load_settings() -> Settings:
    """Read the settings from the environment and ``.env``.

    Raises:
        InvalidSettings: as for :func:`read_settings`.
    """
    return read_settings().settings


def read_settings() -> LoadedSettings:
    """Read the settings and their sources from the environment and ``.env``.

    Raises:
        InvalidSettings: a value cannot be used, a line of ``.env`` cannot be read, a setting is set
            twice, or some settings do not fit together.
    """
    try:
        sources = read_sources(Settings.model_fields.keys())
    except (InvalidDotenv, AmbiguousSetting) as exc:
        raise InvalidSettings(str(exc)) from exc
    from_dotenv: dict[str, Any] = {
        name: assignment.value for name, assignment in sources.dotenv.items()
    }
    try:
        settings = Settings(**from_dotenv)
    except ValidationError as exc:
        raise InvalidSettings("; ".join(_problems(exc, sources))) from exc
    problem = combination_problem(settings)
    if problem is not None:
        raise InvalidSettings(problem)
    return LoadedSettings(settings, sources)


def _problems(exc: ValidationError, sources: SettingSources) -> list[str]:
    lines = []
    for error in exc.errors():
        name = ".".join(str(part) for part in error["loc"])
        reason = error["msg"].removeprefix("Value error, ")
        value = _shown(name, error["input"])
        place = sources.place_of(name)
        lines.append(f"{name.upper()}: {reason} (it is {value}{f', in {place}' if place else ''})")
    return lines


def _shown(name: str, value: Any) -> str:
    """Return the text of a value; of a secret, only the mask."""
    field = Settings.model_fields.get(name)
    if field is not None and SecretStr in (field.annotation, *get_args(field.annotation)):
        return MASK
    return str(Redactor().field(name, repr(value)))
