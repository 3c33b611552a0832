"""Steps as data."""

from __future__ import annotations

from gateway_shim.parity import steps


def test_every_kind_of_step_has_a_name() -> None:
    """The names are those of the classes, and all classes are public."""
    assert set(steps.STEPS) <= set(steps.__all__)
