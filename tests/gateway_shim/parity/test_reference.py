"""The model: what a Node gateway shows and what ours does, judged by the recordings."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.comparison import compare
from gateway_shim.parity.divergences import expectation
from gateway_shim.parity.recording import BUILT_IN, load
from gateway_shim.parity.reference import Model, predict
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios import SCENARIOS
from gateway_shim.parity.steps import Drop, Fence, Open, Post, Release, Request, Send
from gateway_shim.parity.stub_backend import Fate, Reply

_ANSWERED = ("send_events", "send_validation", "events", "checks")
_MODELLED = [
    s
    for s in SCENARIOS
    if s.name in (*_ANSWERED, "send_malformed_bodies")
    or s.name in ("divergence_2", "divergence_3", "divergence_6")
]
_BUFFERED = [s for s in SCENARIOS if s.name.startswith("buffered_") or s.name == "divergence_4"]


def _recorded(scenario: Scenario, dialect: str, node: bool) -> Any:
    entry = load(BUILT_IN[dialect]).entries[scenario.id]
    ours = expectation(scenario.id, dialect, entry)
    return entry if node or ours is None else ours[1]


@pytest.mark.parametrize("node", [True, False])
@pytest.mark.parametrize("dialect", BUILT_IN)
@pytest.mark.parametrize("scenario", _MODELLED, ids=lambda scenario: scenario.id)
def test_answers_and_bytes_are_the_recorded_ones(
    scenario: Scenario, dialect: str, node: bool
) -> None:
    """Each event, each check and each malformed body, for both gateways in both dialects."""
    items = predict(scenario.steps, Model(node, dialect == "envelope"))
    recorded = _recorded(scenario, dialect, node)
    if scenario.name == "send_malformed_bodies":
        if "0.answer" in items:
            assert compare(items["0.answer"][0], recorded["answer"]) == []
        else:
            assert recorded["answer"]["status"] in (400, 404)
        return
    assert compare(items["2.answer"][0], recorded["answer"]) == []
    assert items["3.bytes"][0] == recorded["bytes"]


@pytest.mark.parametrize("node", [True, False])
@pytest.mark.parametrize("dialect", BUILT_IN)
@pytest.mark.parametrize("scenario", _BUFFERED, ids=lambda scenario: scenario.id)
def test_buffered_sends_are_the_recorded_ones(scenario: Scenario, dialect: str, node: bool) -> None:
    """What is held back, what is written, and what a close discards."""
    opened = scenario.steps[0]
    assert isinstance(opened, Open)
    items = predict((opened, Fence()), Model(node, dialect == "envelope"))
    recorded = _recorded(scenario, dialect, node)
    if opened.reply.status == 200:
        assert items["1.bytes"][0] == recorded["bytes"]
    if "during_callback" in recorded:
        assert compare(items["during"][0], recorded["during_callback"]) == []


def test_items_say_which_divergences_they_touch() -> None:
    """None for plain ones."""
    body = {"token": "$T", "event": {"name": "n", "data": "a\rb"}}
    steps = (
        Open("s"),
        Send(body),
        Fence(),
        Open("h", method="HEAD"),
        Post("{"),
        Request("PUT", "/"),
    )
    items = predict(steps, Model(node=False, envelope=True))
    assert {name: item[1] for name, item in items.items()} == {
        "1.answer": frozenset(),
        "2.bytes": {3, 6},
        "3.asked": {5},
        "4.answer": {1},
        "5.kind": {1},
        "5.body": {1},
        "during": frozenset(),
    }


def test_a_held_stream_buffers_until_its_release() -> None:
    """And one that its client has left takes nothing any more."""
    body = {"token": "$T", "event": {"data": "x"}}
    held = Open(reply=Reply(fate=Fate.HOLD), until="callback")
    items = predict(
        (held, Send(body), Release(), Send(body), Fence(), Drop(), Send(body)),
        Model(node=True, envelope=False),
    )
    answers = [items[f"{index}.answer"][0]["json"] for index in (1, 3)]
    assert answers == [{"status": "buffered"}, {"status": "ok"}]
    assert items["4.bytes"][0] == "data: x\n\ndata: x\n\n"
    assert items["6.answer"][0]["status"] == 404
