"""What a scenario is called."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario


def test_an_id_is_name_and_case() -> None:
    """The case only where there is one."""
    ids = [Scenario("a", (), {}).id, Scenario("a", (), {}, case="b c").id]
    assert ids == ["a", "a/b c"]
