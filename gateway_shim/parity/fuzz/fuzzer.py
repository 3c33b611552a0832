"""Play generated cases on two gateways; what differs is shrunk to the smallest case that does."""

from __future__ import annotations

import shlex
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway_shim.parity.crew import Crew
from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.model import Model
from gateway_shim.parity.fuzz.reference import predict
from gateway_shim.parity.fuzz.shrinking import smaller
from gateway_shim.parity.judge.comparison import Difference, compare
from gateway_shim.parity.judge.error_pages import are_one_error
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.stage import Stage
from gateway_shim.parity.play.targets import Target
from gateway_shim.parity.scenario import Process
from gateway_shim.parity.steps import Step

__all__ = ["Fuzzer", "Outcome", "explain", "render"]

_MOST_FOUND = 10
_MOST_TRIES = 150
_MORE_PLAYS = 3
_ONCE = (
    f"different once, and not in {_MORE_PLAYS} more plays (a race in a gateway, or a machine so"
    " busy that a process stood still for seconds):"
)


@dataclass
class Outcome:
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


def explain(
    steps: Sequence[Step], a: Mapping[str, Any], b: Mapping[str, Any]
) -> tuple[frozenset[int], list[Difference]]:
    """Tell numbered divergences from differences.

    A difference counts as a divergence only where one side shows exactly what a Node gateway
    shows there, and the other exactly what ours must show, or an error in another form.

    Returns:
        The divergences that showed, and the differences that are none.
    """
    numbers: set[int] = set()
    unexplained: list[Difference] = []
    sides = [
        (predict(steps, Model(True, envelope)), predict(steps, Model(False, envelope)))
        for envelope in (False, True)
    ]
    for item in [*a, *(item for item in b if item not in a)]:
        found = compare({item: a.get(item)}, {item: b.get(item)})
        if not found:
            continue
        if are_one_error(a.get(item), b.get(item)) or are_one_error(b.get(item), a.get(item)):
            numbers.add(1)
            continue
        for node, ours in sides:
            if item not in node or item not in ours:
                continue
            touched = node[item][1] | ours[item][1]
            pairs = ((a.get(item), b.get(item)), (b.get(item), a.get(item)))
            if touched and any(
                not compare(node[item][0], first) and not compare(ours[item][0], second)
                for first, second in pairs
            ):
                numbers |= touched
                break
        else:
            unexplained += found
    return frozenset(numbers), unexplained


class Fuzzer:
    """Plays cases on two gateways.

    Args:
        a: one.
        b: the other.
        pairs: how many pairs of processes play side by side.
    """

    def __init__(self, a: Target, b: Target, pairs: int) -> None:
        self._targets = (a, b)
        self._pairs = pairs
        self._lock = threading.Lock()
        self._shrinking = threading.Lock()
        self._failure: GatewayFailed | None = None
        self._outcome = Outcome()

    def run(self, cases: Sequence[Case], on_played: Callable[[], None]) -> Outcome:
        """Play them all.

        Args:
            cases: which.
            on_played: is told when a case is over; called from any thread.

        Raises:
            GatewayFailed: a gateway does not start, or a case has killed it.
        """
        todo = deque(cases)
        crew = Crew([partial(self._work, todo, on_played)] * min(self._pairs, len(cases)))
        try:
            crew.wait()
        finally:
            todo.clear()
            crew.wait()
        if self._failure is not None:
            raise self._failure
        return self._outcome

    def _work(self, todo: deque[Case], on_played: Callable[[], None]) -> None:
        first, second = self._targets
        try:
            with first.stage(Process()) as a, second.stage(Process()) as b:
                while True:
                    try:
                        case = todo.popleft()
                    except IndexError:
                        return
                    self._try(case, a, b)
                    on_played()
        except GatewayFailed as exc:
            with self._lock:
                self._failure = self._failure or exc
            todo.clear()

    def _try(self, case: Case, a: Stage, b: Stage) -> None:
        numbers, differences = _play(case, a, b)
        with self._lock:
            self._outcome.divergences.update(numbers)
            if not differences:
                self._outcome.same += not numbers
                return
        with self._shrinking:  # one at a time: the others most often are the same fault
            self._report(case, differences, a, b)

    def _report(self, case: Case, differences: list[Difference], a: Stage, b: Stage) -> None:
        with self._lock:
            known = _places(differences) in self._outcome.places
            if known or len(self._outcome.found) >= _MOST_FOUND:
                self._outcome.unshrunk += 1
                return
        if not any(_play(case, a, b)[1] for _ in range(_MORE_PLAYS)):
            with self._lock:
                self._outcome.once[case.to_json()] = differences
            return
        smallest, found = _shrink(case, differences, a, b)
        with self._lock:
            if _places(found) in self._outcome.places:
                self._outcome.unshrunk += 1
            else:
                self._outcome.found[smallest.to_json()] = found
            self._outcome.places |= {_places(differences), _places(found)}


def render(outcome: Outcome, a: str, b: str, options: str = "") -> str:
    """What was found, each case with how to replay it.

    Args:
        outcome: of :meth:`Fuzzer.run`.
        a: the one command.
        b: the other.
        options: more options for the replay.
    """
    lines = []
    for text, differences in (*outcome.once.items(), *outcome.found.items()):
        lines += [_ONCE] if text in outcome.once else ["different:"]
        for difference in differences:
            lines += [f"  {line}" for line in difference.lines("a", "b")]
        commands = f"--a {shlex.quote(a)} --b {shlex.quote(b)}{options}"
        lines += [f"  replay: parity fuzz {commands} --replay {shlex.quote(text)}", ""]
    return "\n".join(lines)


def _places(differences: Sequence[Difference]) -> frozenset[str]:
    """Where cases differ, without the steps' numbers: the same fault shows at the same places."""
    return frozenset(difference.where.partition(".")[2] for difference in differences)


def _play(case: Case, a: Stage, b: Stage) -> tuple[frozenset[int], list[Difference]]:
    scenario = case.scenario()
    seen = []
    for stage in (a, b):
        try:
            seen.append(stage.play(scenario))
        except GatewayFailed as exc:
            what = f"{exc.what}, by the case --replay {shlex.quote(case.to_json())}"
            raise GatewayFailed(what, exc.command, exc.output) from exc
    return explain(case.steps, *seen)


def _shrink(
    case: Case, differences: list[Difference], a: Stage, b: Stage
) -> tuple[Case, list[Difference]]:
    """Take away what can be taken away while it still differs at one of the same places.

    Elsewhere it may be another fault, or none: a case that waits for less sees less.
    """
    places = _places(differences)
    tries = 0
    again = True
    while again:
        again = False
        for candidate in smaller(case):
            tries += 1
            if tries > _MOST_TRIES:
                return case, differences
            found = _play(candidate, a, b)[1]
            if _places(found) & places:
                case, differences, again = candidate, found, True
                break
    return case, differences
