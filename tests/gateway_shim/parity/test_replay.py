"""Steps as JSON text, which a replayed case is written in."""

from __future__ import annotations

import json

import pytest

from gateway_shim.parity.replay import steps_from_json, steps_to_json
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenarios import SCENARIOS
from gateway_shim.parity.steps import Open, Send


def test_what_is_at_its_default_is_left_out() -> None:
    """A case stays short enough to be typed."""
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
    """No step loses anything on the way."""
    for scenario in SCENARIOS:
        assert steps_from_json(steps_to_json(scenario.steps)) == scenario.steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting"),
        ("{}", "a list of steps"),
        ('[{"do":"Fly"}]', "no such step"),
        ("[5]", "no such step"),
        ('[{"do":"Send"}]', "step Send: .*body"),
        ('[{"do":"Fence","x":1}]', "step Fence: .*x"),
        ('[{"do":"Open","reply":{"raw":[1]}}]', r"step Open: a text or \[text, count\]"),
        ('[{"do":"Open","reply":5}]', "step Open: "),
    ],
)
def test_what_is_no_step_is_refused(text: str, message: str) -> None:
    """With a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match=message):
        steps_from_json(text)
