"""The fuzzer: plays cases on two gateways, and shrinks those that differ."""

from __future__ import annotations

import math
import shlex
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.explanation import explain
from gateway_shim.parity.fuzz.result import MORE_PLAYS, FuzzResult
from gateway_shim.parity.fuzz.shrinking import smaller_cases
from gateway_shim.parity.judge.comparison import Difference
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.targets import Target
from gateway_shim.parity.scenario import Process
from gateway_shim.parity.thread_group import ThreadGroup

__all__ = ["Fuzzer"]

_MOST_FOUND = 10
_MOST_TRIES = 150
_CASES_WORTH_A_START = 15  # a pair of gateways needs as long to start as to play this many cases


class Fuzzer:
    """Plays cases on two gateways.

    Args:
        a: one gateway.
        b: the other gateway.
        pairs: the largest number of pairs of processes that play at the same time.
    """

    def __init__(self, a: Target, b: Target, pairs: int) -> None:
        self._targets = (a, b)
        self._pairs = pairs
        self._lock = threading.Lock()  # guards the result and the failure
        self._shrinking = threading.Lock()  # held by the thread that shrinks a case
        self._failure: GatewayFailed | None = None
        self._result = FuzzResult()

    def run(self, cases: Sequence[Case], on_played: Callable[[], None]) -> FuzzResult:
        """Play all cases.

        Args:
            cases: the cases.
            on_played: called when a case is over, from any thread.

        Raises:
            GatewayFailed: a gateway does not start, or a case has killed it.
        """
        todo = deque(cases)
        pairs = min(self._pairs, math.ceil(len(cases) / _CASES_WORTH_A_START))
        threads = ThreadGroup([partial(self._work, todo, on_played)] * pairs)
        try:
            threads.wait()
        finally:
            todo.clear()
            threads.wait()
        if self._failure is not None:
            raise self._failure
        return self._result

    def _work(self, todo: deque[Case], on_played: Callable[[], None]) -> None:
        first, second = self._targets
        try:
            with first.player(Process()) as a, second.player(Process()) as b:
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

    def _try(self, case: Case, a: Player, b: Player) -> None:
        numbers, differences = _play(case, a, b)
        with self._lock:
            self._result.divergences.update(numbers)
            if not differences:
                self._result.same += not numbers
                return
        with self._shrinking:  # one case at a time: the others usually show the same fault
            self._report(case, differences, a, b)

    def _report(self, case: Case, differences: list[Difference], a: Player, b: Player) -> None:
        with self._lock:
            known = _places(differences) in self._result.places
            if known or len(self._result.found) >= _MOST_FOUND:
                self._result.unshrunk += 1
                return
        if not any(_play(case, a, b)[1] for _ in range(MORE_PLAYS)):
            with self._lock:
                self._result.once[case.to_json()] = differences
            return
        smallest, found = _shrink(case, differences, a, b)
        with self._lock:
            if _places(found) in self._result.places:
                self._result.unshrunk += 1
            else:
                self._result.found[smallest.to_json()] = found
            self._result.places |= {_places(differences), _places(found)}


def _places(differences: Sequence[Difference]) -> frozenset[str]:
    """Return where cases differ, without the steps' numbers: one fault shows at the same places."""
    return frozenset(difference.where.partition(".")[2] for difference in differences)


def _play(case: Case, a: Player, b: Player) -> tuple[frozenset[int], list[Difference]]:
    scenario = case.scenario()
    seen = []
    for player in (a, b):
        try:
            seen.append(player.play(scenario))
        except GatewayFailed as exc:
            what = f"{exc.what}, while it played --replay {shlex.quote(case.to_json())}"
            raise GatewayFailed(what, exc.command, exc.output) from exc
    return explain(case.steps, *seen)


def _shrink(
    case: Case, differences: list[Difference], a: Player, b: Player
) -> tuple[Case, list[Difference]]:
    """Remove parts of a case while it still differs at one of the same places.

    A difference at another place may be another fault, or none: a case that waits for less sees
    less.
    """
    places = _places(differences)
    tries = 0
    again = True
    while again:
        again = False
        for candidate in smaller_cases(case):
            tries += 1
            if tries > _MOST_TRIES:
                return case, differences
            found = _play(candidate, a, b)[1]
            if _places(found) & places:
                case, differences, again = candidate, found, True
                break
    return case, differences
