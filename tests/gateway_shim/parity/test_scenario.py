"""Scenarios as data."""

from __future__ import annotations

from gateway_shim.parity.scenario import Scenario


def test_an_id_is_name_and_case() -> None:
    """The id has the case only if there is one."""
    ids = [Scenario("a", (), {}).id, Scenario("a", (), {}, case="b c").id]
    assert ids == ["a", "a/b c"]
