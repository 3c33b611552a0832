"""The result of a fuzzing run, and its text."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field

from gateway_shim.parity.judge.comparison import Difference

__all__ = ["MORE_PLAYS", "FuzzResult", "render"]

MORE_PLAYS = 3
"""The number of times that a case which differed is played again."""

_ONCE = (
    f"different once, and not in {MORE_PLAYS} more plays (a race in a gateway, or a machine so"
    " busy that a process stood still for seconds):"
)


@dataclass
class FuzzResult:
    """What fuzzing has found.

    Args:
        same: cases without a difference.
        divergences: for each numbered divergence in how many cases it showed.
        found: smallest cases that differ, with where.
        once: cases that differed, but not when they were played again; with where.
        unshrunk: further cases that differ, at the same places or beyond a sensible number.
        places: where the cases that were found differ.
    """

    same: int = 0
    divergences: Counter[int] = field(default_factory=Counter)
    found: dict[str, list[Difference]] = field(default_factory=dict)
    once: dict[str, list[Difference]] = field(default_factory=dict)
    unshrunk: int = 0
    places: set[frozenset[str]] = field(default_factory=set)

    def counts(self) -> str:
        """One line: how many of each."""
        listed = ", ".join(f"{n}: {count}" for n, count in sorted(self.divergences.items()))
        more = f" and {self.unshrunk} more cases" if self.unshrunk else ""
        known = f", expected divergences ({listed})" if listed else ""
        once = f", {len(self.once)} different once" if self.once else ""
        return f"{self.same} same{known}, {len(self.found)} different{more}{once}"


def render(result: FuzzResult, a: str, b: str, options: str = "") -> str:
    """What was found, each case with how to replay it.

    Args:
        result: of :meth:`Fuzzer.run`.
        a: the one command.
        b: the other.
        options: more options for the replay.
    """
    lines = []
    for text, differences in (*result.once.items(), *result.found.items()):
        lines += [_ONCE] if text in result.once else ["different:"]
        for difference in differences:
            lines += [f"  {line}" for line in difference.lines("a", "b")]
        commands = f"--a {shlex.quote(a)} --b {shlex.quote(b)}{options}"
        lines += [f"  replay: parity fuzz {commands} --replay {shlex.quote(text)}", ""]
    return "\n".join(lines)
