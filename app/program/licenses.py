"""The licences of everything that this program is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.resources import files

from packaging.requirements import Requirement

from app.program.version import DISTRIBUTION

__all__ = ["FILE_NAME", "Component", "components", "dump", "installed"]

FILE_NAME = "licenses.json"
"""Beside this package's modules, in the binary only: what is no Python distribution, too."""

_CLASSIFIER = "License :: "
_USUAL_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENSE.rst", "LICENCE", "COPYING")
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Component:
    """One thing with a licence.

    Args:
        name: as it is published.
        version: its version; may be empty.
        licence: the licence's name.
        text: the licence; empty if the distribution brings none.
    """

    name: str
    version: str
    licence: str
    text: str


def components() -> list[Component]:
    """What this program is made of: as the build listed it, else as it is installed."""
    file = files("app").joinpath(FILE_NAME)
    if not file.is_file():
        return installed()
    return [Component(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]


def dump(listed: list[Component]) -> str:
    """The contents of a file for :func:`components` (called by the build)."""
    return json.dumps([asdict(component) for component in listed], ensure_ascii=False)


def installed(root: str = DISTRIBUTION) -> list[Component]:
    """A distribution and all that it needs, here, by name.

    Args:
        root: the distribution's name; one that is not installed needs nothing.
    """
    found = sorted(_closure(root).values(), key=lambda dist: dist.name.lower())
    return [Component(dist.name, dist.version, _licence(dist), _text(dist)) for dist in found]


def _closure(root: str) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    todo = [(root, frozenset[str]())]
    seen = set(todo)
    while todo:
        name, extras = todo.pop()
        try:
            dist = distribution(name)
        except PackageNotFoundError:
            continue
        found[re.sub(r"[-_.]+", "-", name).lower()] = dist
        for needed in _needs(dist, extras):
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)
    return found


def _needs(dist: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in dist.requires or ():
        needed = Requirement(line)
        if needed.marker is None or any(
            needed.marker.evaluate({"extra": extra}) for extra in (*extras, "")
        ):
            yield needed.name, frozenset(needed.extras)


def _licence(dist: Distribution) -> str:
    """What the metadata calls the licence: PEP 639's expression, a short text, a classifier."""
    expression = _field(dist, "License-Expression")
    if expression:
        return expression
    named = _field(dist, "License").strip()
    if named and "\n" not in named and len(named) <= _LONGEST_NAME:
        return named
    classifiers = dist.metadata.get_all("Classifier") or []
    kinds = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith(_CLASSIFIER)]
    return ", ".join(kinds) or "see its text"


def _text(dist: Distribution) -> str:
    names = dist.metadata.get_all("License-File") or _USUAL_NAMES
    # PEP 639 moved the files; what was built before has them beside the metadata.
    texts = [dist.read_text(f"licenses/{name}") or dist.read_text(name) for name in names]
    own = _field(dist, "License")
    return "\n\n".join(filter(None, texts)) or (own.strip() if "\n" in own else "")


def _field(dist: Distribution, name: str) -> str:
    values = dist.metadata.get_all(name)
    return str(values[0]) if values else ""
