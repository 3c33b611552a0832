"""All scenarios together: every recorded entry has one, and no scenario occurs twice."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway_shim.parity.judge import divergences
from gateway_shim.parity.judge.recording import load
from gateway_shim.parity.scenarios import SCENARIOS


def test_no_scenario_occurs_twice() -> None:
    """Each id belongs to one scenario."""
    assert [name for name, count in Counter(s.id for s in SCENARIOS).items() if count > 1] == []


@pytest.mark.parametrize("name", ["node-2025-11", "node-2026-05"])
def test_scenarios_and_recordings_cover_each_other(name: str) -> None:
    """Every recorded entry is played, and every scenario has been recorded."""
    assert {scenario.id for scenario in SCENARIOS} == set(load(name).entries)


@pytest.mark.parametrize("number", divergences.DIVERGENCES)
def test_every_divergence_has_its_own_scenarios(number: int) -> None:
    """Each divergence has scenarios named after it, which only this number excuses."""
    own = [s.id for s in SCENARIOS if s.name == f"divergence_{number}"]
    recorded = load("node-2026-05").entries
    numbers = {
        ours[0]
        for name in own
        if (ours := divergences.expectation(name, "envelope", recorded[name])) is not None
    }
    assert (bool(own), numbers) == (True, {number})
