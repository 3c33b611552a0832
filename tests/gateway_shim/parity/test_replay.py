"""Steps as JSON text, the form of a replayed case."""

from __future__ import annotations

import json

import pytest

from gateway_shim.parity.replay import steps_from_json, steps_to_json
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenarios import SCENARIOS
from gateway_shim.parity.steps import Open, Send


def test_fields_at_their_default_are_left_out() -> None:
    """The text has no fields at their default, so a case is short enough to type."""
    reply = Reply(403, sends=({"token": "$T"},), fate=Fate.HOLD)
    text = steps_to_json([Open(headers=(("A", "b"),), reply=reply), Send({"x": 1}, stream="b")])
    assert json.loads(text) == [
        {
            "do": "Open",
            "headers": [["A", "b"]],
            "reply": {
                "do": "Reply",
                "status": 403,
                "sends": [{"token": "$T"}],
                "fate": "hold",
            },
        },
        {"do": "Send", "body": {"x": 1}, "stream": "b"},
    ]


def test_every_scenario_can_be_written_and_read_back() -> None:
    """No step of any scenario loses anything."""
    for scenario in SCENARIOS:
        assert steps_from_json(steps_to_json(scenario.steps)) == scenario.steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting"),
        ("{}", "expected a list of steps"),
        ('[{"do":"Fly"}]', "unknown step"),
        ("[5]", "unknown step"),
        ('[{"do":"Send"}]', "step Send: .*body"),
        ('[{"do":"Fence","x":1}]', "step Fence: .*x"),
        ('[{"do":"Open","reply":{"raw":[1]}}]', r"step Open: expected a text or \[text, count\]"),
        ('[{"do":"Open","reply":5}]', "step Open: "),
    ],
)
def test_an_invalid_step_is_refused(text: str, message: str) -> None:
    """Anything that is not a list of steps raises a ValueError that names the mistake."""
    with pytest.raises(ValueError, match=message):
        steps_from_json(text)
