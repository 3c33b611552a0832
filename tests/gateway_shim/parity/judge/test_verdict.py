"""Verdicts: same, expected divergence, different, not played, not recorded."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.judge import divergences
from gateway_shim.parity.judge.comparison import Difference
from gateway_shim.parity.judge.recording import BUILT_IN, Recording, load
from gateway_shim.parity.judge.verdict import Kind, Verdict, judge_pair, judge_run
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios import SCENARIOS

_NODE = load("node-2025-11")
_DIVERGING = next(scenario for scenario in SCENARIOS if scenario.id == "buffered_close_only")
_RECORDED = _NODE.entries[_DIVERGING.id]
_OURS = {**_RECORDED, "bytes": ""}


def _judged(got: Any, required: bool = False) -> Verdict:
    return judge_run([_DIVERGING], _NODE, {_DIVERGING.id: got}, required)[0]


def test_a_gateway_that_does_as_recorded_is_the_same() -> None:
    """Each recording is the same as itself in every scenario."""
    for name in BUILT_IN.values():
        recording = load(name)
        verdicts = judge_run(SCENARIOS, recording, recording.entries)
        assert {verdict.kind for verdict in verdicts} == {Kind.SAME}


def test_a_divergence_is_expected_only_with_its_exact_answer() -> None:
    """Any other answer is different, and the differences are those from the nearer answer."""
    assert _judged(_OURS) == Verdict(_DIVERGING, Kind.DIVERGENCE, 4)
    worse = {**_OURS, "ended": "reset"}
    expected = (Difference("ended", "clean", "reset"),)
    assert _judged(worse) == Verdict(_DIVERGING, Kind.DIFFERENT, None, expected)


def test_required_divergences_must_show() -> None:
    """With ``require_divergences``, an answer like Node's is different."""
    assert _judged(_RECORDED) == Verdict(_DIVERGING, Kind.SAME)
    expected = (Difference("bytes", "", "data: \n\n"),)
    assert _judged(_RECORDED, True) == Verdict(_DIVERGING, Kind.DIFFERENT, None, expected)
    assert _judged(_OURS, True) == Verdict(_DIVERGING, Kind.DIVERGENCE, 4)


def test_missing_scenarios_have_their_own_verdicts() -> None:
    """A scenario that was not played or not recorded is neither the same nor different."""
    scenario = Scenario("new", (), {})
    assert judge_run([scenario], _NODE, {}) == [Verdict(scenario, Kind.SKIPPED)]
    assert judge_run([scenario], _NODE, {"new": 1}) == [Verdict(scenario, Kind.UNRECORDED)]


def test_the_two_recordings_differ_by_their_dialects() -> None:
    """Every difference between the two Node gateways is different, and none is a divergence."""
    a, b = load("node-2025-11").entries, load("node-2026-05").entries
    verdicts = {v.scenario.id: v.kind for v in judge_pair(SCENARIOS, a, b)}
    expected = {s.id: Kind.SAME if a[s.id] == b[s.id] else Kind.DIFFERENT for s in SCENARIOS}
    assert verdicts == expected


@pytest.mark.parametrize("name", BUILT_IN.values())
@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_of_node_and_ours_shows_the_divergences(name: str, turned: bool) -> None:
    """Divergences are found on either side, and one more difference makes a scenario different."""
    recording = load(name)
    ours = dict(recording.entries)
    for scenario, recorded in recording.entries.items():
        found = divergences.expectation(scenario, recording.dialect, recorded)
        ours[scenario] = recorded if found is None else found[1]
    ours["close_only"] = {**ours["close_only"], "ended": "eof"}
    ours["head_on_stream_path"] = {**ours["head_on_stream_path"], "head": None}
    pair = (ours, recording.entries) if turned else (recording.entries, ours)
    verdicts = judge_pair(SCENARIOS, *pair)
    different = {v.scenario.id for v in verdicts if v.kind is Kind.DIFFERENT}
    numbers = {v.divergence for v in verdicts if v.divergence}
    assert different == {"close_only", "head_on_stream_path"}
    only_envelope = {6} if recording.dialect == "named" else set()
    assert numbers == set(divergences.DIVERGENCES) - only_envelope


def test_a_pair_says_what_was_not_played() -> None:
    """A scenario that one side did not play is not played."""
    verdicts = judge_pair([_DIVERGING], {_DIVERGING.id: _RECORDED}, {})
    assert verdicts == [Verdict(_DIVERGING, Kind.SKIPPED)]


def test_a_recording_of_ours_is_judged_exactly() -> None:
    """A recording of the shim leaves no divergences to expect."""
    recording = Recording("ours", {_DIVERGING.id: _OURS})
    verdicts = judge_run([_DIVERGING], recording, {_DIVERGING.id: _OURS})
    assert verdicts == [Verdict(_DIVERGING, Kind.SAME)]
