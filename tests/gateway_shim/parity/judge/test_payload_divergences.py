"""The divergences about odd data."""

from __future__ import annotations

import json

from gateway_shim.parity.judge.payload_divergences import PAYLOAD_DIVERGENCES
from gateway_shim.parity.scenarios import SCENARIOS
from gateway_shim.parity.steps import Send


def test_every_envelope_is_json() -> None:
    """Every envelope is JSON whose payload is the data or the value of its JSON text."""
    sent = {
        scenario.id: step.body["event"]["data"]
        for scenario in SCENARIOS
        for step in scenario.steps
        if isinstance(step, Send) and scenario.name == "payloads"
    }
    for name, (number, changes) in PAYLOAD_DIVERGENCES["envelope"].items():
        if name not in sent:
            continue
        lines = changes["bytes"].removesuffix("\n\n").split("\n")
        document = json.loads("\n".join(line.removeprefix("data: ") for line in lines))
        assert (number, document["type"]) == (6, "n")
        text = sent[name]
        assert document["payload"] in (text, *_parsed(text)), name


def _parsed(text: str) -> tuple[object, ...]:
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):  # Python raises RecursionError for 3,000 open brackets
        return ()
