"""The verdict on each scenario: same, expected divergence N, different, or not played."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway_shim.parity.judge import divergences
from gateway_shim.parity.judge.comparison import Difference, compare
from gateway_shim.parity.judge.recording import BUILT_IN, Recording, dialect_of, load
from gateway_shim.parity.scenario import Scenario

__all__ = ["Kind", "Verdict", "judge_pair", "judge_run"]


class Kind(StrEnum):
    """The kinds of verdicts."""

    SAME = "same"
    DIVERGENCE = "expected divergence"
    DIFFERENT = "different"
    SKIPPED = "not played"
    UNRECORDED = "not recorded"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one scenario.

    Args:
        scenario: the scenario.
        kind: the kind of verdict.
        divergence: the number of an expected divergence.
        differences: the differences, if there are any.
    """

    scenario: Scenario
    kind: Kind
    divergence: int | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def text(self) -> str:
        """The verdict as reports write it."""
        return f"{self.kind} {self.divergence}" if self.divergence else str(self.kind)


def judge_run(
    scenarios: Iterable[Scenario],
    recording: Recording,
    seen: Mapping[str, Any],
    require_divergences: bool = False,
) -> list[Verdict]:
    """Judge what a gateway showed by a recording.

    Args:
        scenarios: all scenarios, in the report's order.
        recording: what was recorded.
        seen: what the gateway showed, by scenario id; missing scenarios were not played.
        require_divergences: whether a scenario that should diverge must diverge.
    """
    verdicts = []
    for scenario in scenarios:
        if scenario.id not in seen:
            verdicts.append(Verdict(scenario, Kind.SKIPPED))
        elif scenario.id not in recording.entries:
            verdicts.append(Verdict(scenario, Kind.UNRECORDED))
        else:
            recorded, got = recording.entries[scenario.id], seen[scenario.id]
            ours = divergences.expectation(scenario.id, recording.dialect, recorded)
            verdicts.append(_judge(scenario, recorded, got, ours, require_divergences))
    return verdicts


def judge_pair(
    scenarios: Iterable[Scenario], a: Mapping[str, Any], b: Mapping[str, Any]
) -> list[Verdict]:
    """Judge two gateways by each other.

    A divergence is expected only if one side shows exactly what was recorded from the Node gateway
    of its dialect, and the other side exactly what the divergence prescribes.
    """
    recordings = {side: load(BUILT_IN[dialect_of(side_seen)]) for side, side_seen in _sides(a, b)}
    verdicts = []
    for scenario in scenarios:
        if scenario.id not in a or scenario.id not in b:
            verdicts.append(Verdict(scenario, Kind.SKIPPED))
            continue
        first, second = a[scenario.id], b[scenario.id]
        found = compare(first, second)
        number = _diverging(scenario, first, second, recordings["a"]) or _diverging(
            scenario, second, first, recordings["b"]
        )
        if not found:
            verdicts.append(Verdict(scenario, Kind.SAME))
        elif number is not None and recordings["a"].dialect == recordings["b"].dialect:
            verdicts.append(Verdict(scenario, Kind.DIVERGENCE, number))
        else:
            verdicts.append(Verdict(scenario, Kind.DIFFERENT, None, tuple(found)))
    return verdicts


def _judge(
    scenario: Scenario,
    recorded: Any,
    got: Any,
    ours: tuple[int, Any] | None,
    required: bool,
) -> Verdict:
    found = compare(recorded, got)
    if ours is None:
        return _plain(scenario, found)
    number, expected = ours
    from_ours = compare(expected, got)
    if not from_ours:
        # In some dialects the divergence makes no difference; then there is nothing to report.
        return Verdict(scenario, Kind.DIVERGENCE if found else Kind.SAME, number if found else None)
    if not found and not required:
        return Verdict(scenario, Kind.SAME)
    # The answer is neither of the two; show the differences from the nearer one.
    nearer = from_ours if required or len(from_ours) <= len(found) else found
    return _plain(scenario, nearer)


def _plain(scenario: Scenario, found: list[Difference]) -> Verdict:
    kind = Kind.DIFFERENT if found else Kind.SAME
    return Verdict(scenario, kind, None, tuple(found))


def _diverging(scenario: Scenario, node: Any, other: Any, recording: Recording) -> int | None:
    recorded = recording.entries.get(scenario.id)
    ours = divergences.expectation(scenario.id, recording.dialect, recorded)
    if ours is None or compare(recorded, node) or compare(ours[1], other):
        return None
    return ours[0]


def _sides(
    a: Mapping[str, Any], b: Mapping[str, Any]
) -> tuple[tuple[str, Mapping[str, Any]], tuple[str, Mapping[str, Any]]]:
    return ("a", a), ("b", b)
