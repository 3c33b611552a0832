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
    """What a verdict can be."""

    SAME = "same"
    DIVERGENCE = "expected divergence"
    DIFFERENT = "different"
    SKIPPED = "not played"
    UNRECORDED = "not recorded"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one scenario.

    Args:
        scenario: which.
        kind: same, and so on.
        divergence: its number, for an expected divergence.
        differences: where they differ, if different.
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
        scenarios: all of them, in the report's order.
        recording: what was recorded.
        seen: what the gateway showed, by scenario id; what is missing was not played.
        require_divergences: whether a scenario that should diverge must.
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

    A divergence is expected only where one side shows exactly what was recorded from the Node
    gateway of its dialect, and the other exactly what the divergence says.
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
        # Where the dialect makes both the same, there is nothing to report.
        return Verdict(scenario, Kind.DIVERGENCE if found else Kind.SAME, number if found else None)
    if not found and not required:
        return Verdict(scenario, Kind.SAME)
    # It is neither: shown is what it is nearer to.
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
