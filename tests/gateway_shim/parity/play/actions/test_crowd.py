"""Many clients that leave at the same time, on a running gateway."""

from __future__ import annotations

from gateway_shim.parity.play.player import Player
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import LeaveTogether


def test_disconnects_are_held_and_counted(running_shim: Player) -> None:
    """All disconnect callbacks wait at the same time, and then all are answered."""
    scenario = Scenario("s", (LeaveTogether(5),), ["$value:held", "$actions"])
    held, actions = running_shim.play(scenario)
    assert (held, sorted(actions)) == (5, ["connect"] * 5 + ["disconnect"] * 5)
