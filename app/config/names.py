"""Finds names that were probably meant to be settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["Misspelt", "find_misspelt"]

_OUR_PREFIXES = ("SSE_", "CORS_", "HEARTBEAT_", "FRONTEND_VERSION_")
"""In an environment such a name is meant for us; ``TASK_``, ``LOG_`` and ``APP_`` may not be."""

_OF_OTHERS = re.compile(
    r"\w+_SERVICE_(HOST|PORT(_\w+)?)"  # Kubernetes, for each service
    r"|\w+_PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?"
    r"|\w+_ENV_\w+|\w+_NAME"  # Docker, for each link
)
"""Variables that container platforms name after services such as ``sse``."""

_LIKENESS = 0.78
_LIKENESS_OF_SHORT_NAMES = 0.85
_LIKENESS_IN_ENVIRONMENT = 0.85
_SHORT = 8
"""Characters. Many words are near to a shorter name: PORTAL and PORTS to PORT."""
_WORTH_NAMING = 0.6


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A name that is not a setting, and was probably meant to be one.

    Args:
        name: as it is written.
        nearest: the setting that it resembles; None if it only begins as settings do.
    """

    name: str
    nearest: str | None


def find_misspelt(
    names: Iterable[str], known: Collection[str], *, in_environment: bool
) -> list[Misspelt]:
    """Find misspelt settings among names.

    Args:
        names: what somebody has set.
        known: the settings' names in capitals.
        in_environment: whether the names are of an environment, where most of them are meant for
            other programs: only those that are very near to a setting are found.
    """
    found = []
    for name in names:
        upper = name.upper().replace("-", "_").replace(".", "_")
        if name.upper() in known or (in_environment and _OF_OTHERS.fullmatch(upper)):
            continue
        likeness, nearest = max((_likeness(upper, setting), setting) for setting in known)
        is_short = len(upper) < _SHORT
        if in_environment:
            is_near = likeness >= _LIKENESS_IN_ENVIRONMENT and not is_short
        else:
            is_near = likeness >= (_LIKENESS_OF_SHORT_NAMES if is_short else _LIKENESS)
        if is_near or upper.startswith(_OUR_PREFIXES):
            found.append(Misspelt(name, nearest if likeness >= _WORTH_NAMING else None))
    return found


def _likeness(name: str, setting: str) -> float:
    """From 0 to 1; a setting without its last words, as TASK_TIMEOUT, is nearly that setting."""
    words = name.count("_") + 1
    if words >= 2 and setting.startswith(f"{name}_"):
        return 0.9
    return difflib.SequenceMatcher(None, name, setting, autojunk=False).ratio()
