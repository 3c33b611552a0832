"""Finds misspelled settings: names that resemble a setting but are not settings."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["Misspelt", "find_misspelt"]

_OUR_PREFIXES = ("SSE_", "CORS_", "HEARTBEAT_", "FRONTEND_VERSION_")
"""The prefixes that only settings of this program have, even in an environment. Names with the
prefixes ``TASK_``, ``LOG_`` or ``APP_`` may belong to other programs."""

_OF_PLATFORMS = re.compile(
    r"\w+_SERVICE_(HOST|PORT(_\w+)?)"  # Kubernetes, for each service
    r"|\w+_PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?"
    r"|\w+_ENV_\w+|\w+_NAME"  # Docker, for each link
)
"""Variables that container platforms name after services such as ``sse``."""

_LIKENESS = 0.78
_LIKENESS_OF_SHORT_NAMES = 0.85
_LIKENESS_IN_ENVIRONMENT = 0.85
_SHORT = 8
"""The length, in characters, below which a name is short. Many words are similar to a short name:
PORTAL and PORTS to PORT."""
_WORTH_NAMING = 0.6
"""The similarity from which on a name with one of our prefixes resembles a setting."""


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A name that is not a setting, but was probably meant to be one.

    Args:
        name: the name as it is written.
        nearest: the setting that the name resembles; None if only the prefix of the name is the
            prefix of a setting.
    """

    name: str
    nearest: str | None


def find_misspelt(
    names: Iterable[str], known: Collection[str], *, in_environment: bool
) -> list[Misspelt]:
    """Find misspelled settings among names.

    Args:
        names: the names that are set.
        known: the names of the settings in capitals.
        in_environment: whether the names come from an environment. Most names there are meant for
            other programs, so only names that are very similar to a setting are found.
    """
    found = []
    for name in names:
        upper = name.upper().replace("-", "_").replace(".", "_")
        if name.upper() in known or (in_environment and _OF_PLATFORMS.fullmatch(upper)):
            continue
        is_short = len(upper) < _SHORT
        if upper.startswith(_OUR_PREFIXES):
            found.append(Misspelt(name, _nearest(upper, known, _WORTH_NAMING)))
            continue
        if in_environment:
            if is_short:
                continue
            least = _LIKENESS_IN_ENVIRONMENT
        else:
            least = _LIKENESS_OF_SHORT_NAMES if is_short else _LIKENESS
        if (nearest := _nearest(upper, known, least)) is not None:
            found.append(Misspelt(name, nearest))
    return found


def _nearest(name: str, known: Collection[str], least: float) -> str | None:
    """Return the most similar setting; None if no similarity, from 0 to 1, is ``least`` or more.

    A setting without its last words, such as TASK_TIMEOUT, is nearly that setting.
    """
    best: tuple[float, str] | None = None
    characters = _characters(name)
    for setting in known:
        if "_" in name and setting.startswith(f"{name}_"):
            likeness = 0.9
        else:
            # The characters that two names share are an upper bound of their similarity. Comparing
            # them costs a fiftieth, and every start compares every name with each setting.
            shared = len(characters & _characters(setting))
            if 2.0 * shared / (len(name) + len(setting)) < least:
                continue
            likeness = difflib.SequenceMatcher(None, setting, name, autojunk=False).ratio()
        if likeness >= least:
            best = max(best or (0, ""), (likeness, setting))
    return None if best is None else best[1]


@functools.lru_cache(maxsize=1000)
def _characters(name: str) -> frozenset[tuple[str, int]]:
    """Return the characters of a name, each with the number of its earlier occurrences."""
    return frozenset(
        (character, name[:place].count(character)) for place, character in enumerate(name)
    )
