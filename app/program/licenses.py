"""The licenses of all parts of this program."""

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
"""The list of all parts, in the folder ``app`` of the binary.

The build writes it, because some parts of the binary are not Python distributions.
"""

_CLASSIFIER = "License :: "
_USUAL_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENSE.rst", "LICENCE", "COPYING")
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the program, with its license.

    Args:
        name: the name under which the component is published.
        version: the version; may be empty.
        licence: the name of the license.
        text: the text of the license; empty if the component comes without one.
    """

    name: str
    version: str
    licence: str
    text: str


def components() -> list[Component]:
    """Return the parts of this program: from the build's list, or else as they are installed."""
    file = files("app").joinpath(FILE_NAME)
    if not file.is_file():
        return installed()
    return [Component(**entry) for entry in json.loads(file.read_text(encoding="utf-8"))]


def dump(listed: list[Component]) -> str:
    """Return the contents of the list that :func:`components` reads. The build calls this."""
    return json.dumps([asdict(component) for component in listed], ensure_ascii=False)


_EXTRAS = frozenset({"redis"})
"""The extras for serving. The binary has them; what is not installed is not listed."""


def installed(root: str = DISTRIBUTION) -> list[Component]:
    """Return an installed distribution and all of its dependencies, sorted by name.

    Args:
        root: the distribution's name. If it is not installed, the list is empty.
    """
    found = sorted(_closure(root).values(), key=lambda dist: dist.name.lower())
    return [Component(dist.name, dist.version, _licence(dist), _text(dist)) for dist in found]


def _closure(root: str) -> dict[str, Distribution]:
    found: dict[str, Distribution] = {}
    todo = [(root, _EXTRAS)]
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
    """Return the license's name: PEP 639's expression, a short text, or a classifier."""
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
    # PEP 639 moved the license files. Older distributions have them beside the metadata.
    texts = [dist.read_text(f"licenses/{name}") or dist.read_text(name) for name in names]
    own = _field(dist, "License")
    return "\n\n".join(filter(None, texts)) or (own.strip() if "\n" in own else "")


def _field(dist: Distribution, name: str) -> str:
    values = dist.metadata.get_all(name)
    return str(values[0]) if values else ""
