"""What the build of the binary wrote down about itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["FILE_NAME", "BuildInfo", "build_info"]

FILE_NAME = "build.json"
"""Beside this package's modules, in the binary only (packaging/sse-monolith.spec)."""


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """One build.

    Args:
        commit: what was built; ``unknown`` outside a repository.
        date: of that commit, ISO 8601.
        builder: name and version of what packed it.
        glibc: the oldest glibc that it runs on, such as ``2.36``.
        glibc_because: the file in the binary that asks for it.
    """

    commit: str
    date: str
    builder: str
    glibc: str
    glibc_because: str


def build_info() -> BuildInfo | None:
    """The build that this program comes from; None if it runs from its source."""
    file = files("app").joinpath(FILE_NAME)
    if not file.is_file():
        return None
    return BuildInfo(**json.loads(file.read_text(encoding="utf-8")))
