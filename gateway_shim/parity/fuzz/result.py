"""The result of a fuzzing run, and its text."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field

from gateway_shim.parity.judge.comparison import Difference

__all__ = ["MORE_PLAYS", "FuzzResult", "render"]

MORE_PLAYS = 3
"""The number of further plays of a case that differed."""

_ONCE = (
    f"different once, but not in {MORE_PLAYS} more plays (a race in a gateway, or a machine so busy"
    " that a process stood still for seconds):"
)


@dataclass
class FuzzResult:
    """The result of a fuzzing run.

    Args:
        same: the number of cases without a difference.
        divergences: for each numbered divergence, the number of cases that showed it.
        found: the smallest cases that differ, with their differences.
        once: the cases that differed once and not again, with their differences.
        unshrunk: the number of further cases that differ, at known places or beyond the limit.
        places: the places where the found cases differ.
    """

    same: int = 0
    divergences: Counter[int] = field(default_factory=Counter)
    found: dict[str, list[Difference]] = field(default_factory=dict)
    once: dict[str, list[Difference]] = field(default_factory=dict)
    unshrunk: int = 0
    places: set[frozenset[str]] = field(default_factory=set)

    def counts(self) -> str:
        """Return one line with the number of each kind."""
        listed = ", ".join(f"{n}: {count}" for n, count in sorted(self.divergences.items()))
        more = f" and {self.unshrunk} more cases" if self.unshrunk else ""
        known = f", expected divergences ({listed})" if listed else ""
        once = f", {len(self.once)} different once" if self.once else ""
        return f"{self.same} same{known}, {len(self.found)} different{more}{once}"


def render(result: FuzzResult, a: str, b: str, options: str = "") -> str:
    """Return the text of a result: each case with its differences and the command that replays it.

    Args:
        result: the result of :meth:`~gateway_shim.parity.fuzz.fuzzer.Fuzzer.run`.
        a: the command of one gateway.
        b: the command of the other gateway.
        options: further options for the replay.
    """
    lines = []
    for text, differences in (*result.once.items(), *result.found.items()):
        lines += [_ONCE] if text in result.once else ["different:"]
        for difference in differences:
            lines += [f"  {line}" for line in difference.lines("a", "b")]
        commands = f"--a {shlex.quote(a)} --b {shlex.quote(b)}{options}"
        lines += [f"  replay: parity fuzz {commands} --replay {shlex.quote(text)}", ""]
    return "\n".join(lines)
