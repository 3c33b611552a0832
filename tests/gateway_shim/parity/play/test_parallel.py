"""Scenarios on several targets at the same time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.parallel import play_on_all
from gateway_shim.parity.scenario import Process, Scenario
from tests.support.timing import TIME_LIMIT

_SCENARIOS = [Scenario("a", (), {}), Scenario("b", (), {})]


class _Target:
    """A target whose player waits for that of another target, or fails."""

    players_at_once = 1
    starts_gateways = False
    gateway = None

    def __init__(self, name: str, met: threading.Barrier, fails: bool = False) -> None:
        self.name = name
        self._met = met
        self._fails = fails

    @contextlib.contextmanager
    def player(self, process: Process) -> Iterator[Any]:
        """Provide this object as the player."""
        yield self

    def play(self, scenario: Scenario) -> Any:
        """Return the names of the target and the scenario."""
        self._met.wait()
        if self._fails:
            raise GatewayFailed(f"{self.name} died")
        return f"{self.name} {scenario.id}"

    def abort(self) -> None:
        """End a wait for the other target."""
        self._met.abort()


def test_each_target_plays_all_scenarios() -> None:
    """The targets play at the same time, and each result has all scenarios."""
    met = threading.Barrier(2, timeout=TIME_LIMIT)
    played: list[str] = []
    seen = play_on_all(
        [_Target("x", met), _Target("y", met)], _SCENARIOS, lambda s: played.append(s.id)
    )
    assert seen == [{"a": "x a", "b": "x b"}, {"a": "y a", "b": "y b"}]
    assert sorted(played) == ["a", "a", "b", "b"]


def test_the_failure_of_one_target_ends_the_run() -> None:
    """The error is that of the target that failed, and the others play no more."""
    met = threading.Barrier(2, timeout=TIME_LIMIT)
    played: list[str] = []
    targets = [_Target("x", met, fails=True), _Target("y", met)]
    with pytest.raises(GatewayFailed, match="x died"):
        play_on_all(targets, _SCENARIOS[:1], lambda s: played.append(s.id))
    assert played in ([], ["a"])
