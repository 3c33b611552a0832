"""Generates the reference of all settings, ``docs/settings.md``, from the settings themselves.

Run ``python -m app.config.reference > docs/settings.md`` after a change of a setting. A test fails
if the file differs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from app.config.settings.access import AccessSettings
from app.config.settings.bus import BusSettings
from app.config.settings.gateway import GatewaySettings
from app.config.settings.log import LogSettings
from app.config.settings.replay import ReplaySettings
from app.config.settings.request import RequestSettings
from app.config.settings.server import ServerSettings
from app.config.settings.stream import StreamSettings
from app.config.settings.task import TaskSettings
from app.config.settings.version import VersionSettings

__all__ = ["GROUPS", "reference"]

GROUPS: Mapping[str, type[BaseSettings]] = {
    "Server": ServerSettings,
    "Streams": StreamSettings,
    "Replay": ReplaySettings,
    "Access": AccessSettings,
    "Requests": RequestSettings,
    "Log": LogSettings,
    "Tasks": TaskSettings,
    "Several servers": BusSettings,
    "A gateway in another process": GatewaySettings,
    "Frontend version": VersionSettings,
}
"""The classes of settings by the heading of their table."""

_UNITS = {
    "_bytes": "bytes",
    "_seconds": "seconds",
    "_timeout": "seconds",
    "_ms": "milliseconds",
}
"""The unit of a setting by the end of its name."""

_NAME = re.compile(r"(?<![`\w])[A-Z_]{4,}\b")

_MEBIBYTE = 1024 * 1024

_INTRODUCTION = """\
# Settings

This page is generated from the code: `python -m app.config.reference > docs/settings.md`.

Settings come from the environment, or from a file `.env` in the working directory. The environment
takes precedence. An empty value counts as unset. Names may be written in lower case.

- `sse-monolith config` shows every setting in effect, and where it comes from.
- `sse-monolith check` says whether the server could start with the present settings.
- A value that cannot be used stops the start. The error names the setting, value and reason.
- A name that looks like a misspelled setting, such as `SSE_AUTHORISE`, causes a warning in the log,
  in `sse-monolith check` and in `sse-monolith config`.
- A reload (SIGHUP) applies new settings from `.env`. These need a restart instead: `HOST`, `PORT`,
  `ADMIN_BIND`, `WEB_CONCURRENCY`, `CERTFILE`, `KEYFILE`, `KEEP_ALIVE_SECONDS`,
  `MAX_REQUEST_CONNECTIONS`, `GRACEFUL_SHUTDOWN_TIMEOUT`, `SSE_STATE_DIR`, `SSE_BUS_URL`,
  `SSE_BUS_PREFIX`, and everything that is set in the environment.

## The file .env

- A line is `NAME=value`, a comment after `#`, or empty. A line that cannot be read stops the start
  and the reload, and the error has the number of the line. So no setting is lost unnoticed.
- The value is used as it is written: `${NAME}` is not replaced.
- Quotes around a value are removed. In double quotes, `\\n`, `\\t`, `\\"` and `\\\\` are escapes.
- Without quotes, ` #` begins a comment. Put a secret with `#` or spaces into single quotes.
- A setting that is set twice stops the start.

With several workers (`WEB_CONCURRENCY`), `SSE_MAX_CONNECTIONS` is the limit of all workers
together. All other limits hold for each worker.

[operations.md](operations.md) explains how the limits work together, how a client that exceeds a
limit is answered, and how access is controlled.
"""

_HEAD = "| name | default | value | description |\n| --- | --- | --- | --- |\n"


def reference() -> str:
    """Return the page in Markdown: an introduction, and one table for each group."""
    tables = (
        f"## {title}\n\n{_HEAD}" + "".join(_rows(group.model_fields))
        for title, group in GROUPS.items()
    )
    return "\n".join([_INTRODUCTION, *tables])


def _rows(fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        description = _NAME.sub(_mark_setting, field.description or "")
        cells = (f"`{name.upper()}`", _default(name, field.default), _values(name, field))
        yield f"| {' | '.join(cells)} | {description} |\n"


def _mark_setting(word: re.Match[str]) -> str:
    """Return a word of a description as code if it is the name of a setting."""
    name = word[0].lower()
    is_setting = any(name in group.model_fields for group in GROUPS.values())
    return f"`{word[0]}`" if is_setting else word[0]


def _default(name: str, default: Any) -> str:
    if default is None:
        return "unset"
    if default == "":
        return "empty"
    shown = f"`{default:g}`" if isinstance(default, float) else f"`{default}`"
    if name.endswith("_bytes") and default % _MEBIBYTE == 0:
        shown += f" ({default // _MEBIBYTE} MiB)"
    return shown


def _values(name: str, field: FieldInfo) -> str:
    """Return the values that a setting accepts, with their unit."""
    if get_origin(field.annotation) is Literal:
        *first, last = (f"`{value}`" for value in get_args(field.annotation))
        return f"{', '.join(first)} or {last}"
    (kind,) = set(get_args(field.annotation) or (field.annotation,)) - {NoneType}
    if kind not in (int, float):
        return "text"
    unit = next((f" {unit}" for end, unit in _UNITS.items() if name.endswith(end)), "")
    return _limits(field.metadata, unit)


def _limits(metadata: list[Any], unit: str) -> str:
    low = next((limit.ge for limit in metadata if isinstance(limit, Ge)), None)
    high = next((limit.le for limit in metadata if isinstance(limit, Le)), None)
    if low is None:
        return f"more than 0{unit}"
    if low == 1 and high is None:
        return f"1{unit.removesuffix('s')} or more"
    return f"{low:,}{unit} or more" if high is None else f"{low:,} to {high:,}{unit}"


if __name__ == "__main__":
    sys.stdout.write(reference())
