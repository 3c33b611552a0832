"""The facts about the build of the one-file binary."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["FILE_NAME", "BuildInfo", "build_info"]

FILE_NAME = "build.json"
"""The file with these facts, in the folder ``app`` of the binary (packaging/sse-monolith.spec)."""


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """One build.

    Args:
        commit: the commit that was built; ``unknown`` outside a repository.
        date: the date of the commit, ISO 8601.
        builder: the name and version of the tool that packed the binary.
        glibc: the oldest version of glibc that the binary runs on, such as ``2.36``.
        glibc_because: the file in the binary that needs this version of glibc.
    """

    commit: str
    date: str
    builder: str
    glibc: str
    glibc_because: str


def build_info() -> BuildInfo | None:
    """Return the build of this program; None if it runs from its source."""
    file = files("app").joinpath(FILE_NAME)
    if not file.is_file():
        return None
    return BuildInfo(**json.loads(file.read_text(encoding="utf-8")))
