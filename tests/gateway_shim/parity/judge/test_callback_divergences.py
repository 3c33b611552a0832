"""The divergences about callbacks."""

from __future__ import annotations

from gateway_shim.parity.judge.callback_divergences import (
    CALLBACK_DIVERGENCES,
    CALLBACK_DIVERGENCES_BY_DIALECT,
)
from gateway_shim.parity.judge.divergences import DIVERGENCES
from gateway_shim.parity.scenarios import SCENARIOS


def test_every_divergence_belongs_to_a_scenario() -> None:
    """Every entry has the id of a scenario and the number of a divergence."""
    known = {scenario.id for scenario in SCENARIOS}
    for table in (CALLBACK_DIVERGENCES, *CALLBACK_DIVERGENCES_BY_DIALECT.values()):
        assert set(table) <= known
        assert {number for number, _ in table.values()} <= set(DIVERGENCES)
