"""The action that finds out at which addresses a gateway listens."""

from __future__ import annotations

from gateway_shim.parity.play.player import Player
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import ListensOn


def test_each_address_is_asked(running_shim: Player) -> None:
    """The value says for each address, of either IP version, whether a gateway answers there."""
    steps = (ListensOn(("127.0.0.1", "127.0.0.2", "::1")),)
    seen = running_shim.play(Scenario("s", steps, "$value:listens_on"))
    assert seen == {"127.0.0.1": True, "127.0.0.2": False, "::1": True}
