"""Steps about a process, as data."""

from __future__ import annotations

from gateway_shim.parity.replay import steps_from_json, steps_to_json
from gateway_shim.parity.steps import Interrupt, ListensOn


def test_steps_are_written_and_read_back() -> None:
    """Steps survive the JSON form, which leaves out fields at their default."""
    steps = (
        Interrupt("SIGTERM", "port", 0.1),
        ListensOn(("127.0.0.1", "::1")),
        Interrupt("SIGHUP"),
        Interrupt("SIGHUP", terminal=True),
    )
    text = steps_to_json(steps)
    assert steps_from_json(text) == steps
    assert '{"do":"Interrupt","signal":"SIGHUP"}' in text
