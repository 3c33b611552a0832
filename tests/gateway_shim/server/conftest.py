"""Fixtures of the arbiter's tests."""

from __future__ import annotations

import pytest

from tests.gateway_shim.server.arbiter_simulation import ArbiterSimulation


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ArbiterSimulation:
    """Return an arbiter with one worker that serves."""
    simulation = ArbiterSimulation(monkeypatch)
    simulation.turn()
    assert simulation.workers == [101]
    return simulation


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> ArbiterSimulation:
    """Return an arbiter with two workers that serve."""
    simulation = ArbiterSimulation(monkeypatch, workers=2)
    simulation.turn()
    assert simulation.workers == [101, 102]
    return simulation


@pytest.fixture
def starting(monkeypatch: pytest.MonkeyPatch) -> ArbiterSimulation:
    """Return an arbiter with one worker that does not serve yet."""
    simulation = ArbiterSimulation(monkeypatch, serves=False)
    simulation.turn()
    return simulation
