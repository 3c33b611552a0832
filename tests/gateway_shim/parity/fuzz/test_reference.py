"""The model of both gateways agrees with the recordings."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.fuzz.model import Model
from gateway_shim.parity.fuzz.reference import predict
from gateway_shim.parity.judge.comparison import compare
from gateway_shim.parity.judge.divergences import expectation
from gateway_shim.parity.judge.error_pages import are_one_error
from gateway_shim.parity.judge.recording import BUILT_IN, load
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.scenarios import SCENARIOS
from gateway_shim.parity.steps import (
    Drop,
    Fence,
    Open,
    Raw,
    Release,
    Request,
    Send,
    SendCompressed,
)

_ANSWERED = ("send_events", "send_validation", "events", "checks")
_MODELLED = [
    s
    for s in SCENARIOS
    if s.name in _ANSWERED or s.name in ("divergence_2", "divergence_3", "divergence_6")
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
    """Predicted answers and bytes are the recorded ones, for both gateways and dialects."""
    items = predict(scenario.steps, Model(node, dialect == "envelope"))
    recorded = _recorded(scenario, dialect, node)
    assert compare(items["2.answer"][0], recorded["answer"]) == []
    assert items["3.bytes"][0] == recorded["bytes"]


@pytest.mark.parametrize("node", [True, False])
@pytest.mark.parametrize("dialect", BUILT_IN)
@pytest.mark.parametrize("scenario", _BUFFERED, ids=lambda scenario: scenario.id)
def test_buffered_sends_are_the_recorded_ones(scenario: Scenario, dialect: str, node: bool) -> None:
    """Predicted buffering, writing and discarding are the recorded ones."""
    opened = scenario.steps[0]
    assert isinstance(opened, Open)
    items = predict((opened, Fence()), Model(node, dialect == "envelope"))
    recorded = _recorded(scenario, dialect, node)
    if opened.reply.status == 200:
        assert items["1.bytes"][0] == recorded["bytes"]
    if "during_callback" in recorded:
        assert compare(items["during"][0], recorded["during_callback"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("dialect", BUILT_IN)
def test_a_malformed_body_gets_one_error_in_two_forms(dialect: str) -> None:
    """Each recorded page has the same error as JSON on our side."""
    names = ("send_malformed_bodies", "other_methods", "methods")
    pages = []
    for scenario in SCENARIOS:
        recorded, ours = _recorded(scenario, dialect, True), _recorded(scenario, dialect, False)
        if scenario.name in names and recorded != ours:
            node, answer = (_answer(seen) for seen in (recorded, ours))
            pages.append(scenario.id)
            assert are_one_error(node, answer), scenario.id
    assert len(pages) >= 17


def _answer(seen: Any) -> Any:
    """Return the answer to a send, or that to another request in the form of a case."""
    return seen["answer"] if "answer" in seen else {**seen["head"], "body": seen["body"]}


def test_items_say_which_divergences_they_touch() -> None:
    """Each item has the divergences that it touches."""
    body = {"token": "$T", "event": {"name": "n", "data": "a\rb"}}
    steps = (
        Open("s"),
        Send(body),
        Fence(),
        Open("h", method="HEAD"),
        Request("GET", "/healthz", body="{"),
        Raw(("FOO / HTTP/1.1\r\n", "Host: h\r\n\r\n")),
        Raw(("GET / HTTP/1.1\r\n", "Host: h\r\n\r\n")),
    )
    items = predict(steps, Model(node=False, envelope=True))
    assert {name: item[1] for name, item in items.items()} == {
        "1.answer": frozenset(),
        "2.bytes": {3, 6},
        "3.asked": {5},
        "4.answer": {14},
        "5.answers": {17},
        "during": frozenset(),
    }


def test_a_held_stream_buffers_until_its_release() -> None:
    """A held stream buffers sends, and a stream that its client has left takes none."""
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


@pytest.mark.parametrize(
    ("reply", "node", "ours"),
    [
        (Reply(interim=(100,)), 503, 200),
        (Reply(403, interim=(103, 100)), 503, 403),
        (Reply(600), 600, 503),
        (Reply(421, times=2), 421, 421),
    ],
)
def test_answers_of_a_backend_that_diverge(reply: Reply, node: int, ours: int) -> None:
    """Every item of a stream after a diverging answer touches divergence 9."""
    send = Send({"token": "$T", "event": {"data": "x"}})
    steps = (Open(reply=reply), Fence(), send, Fence())
    sides = [predict(steps, Model(is_node, envelope=False)) for is_node in (True, False)]
    assert [items["0.head"][0]["status"] for items in sides] == [node, ours]
    for items in sides:
        touched = [items[name][1] for name in ("0.head", "0.ended", "1.bytes", "2.answer")]
        assert touched == [{9}] * 4
    asked = [items["0.connects"][0] for items in sides]
    assert asked == [["connect"] * (2 if node == 421 else 1), ["connect"]]
    later = [items["2.answer"][0]["status"] for items in sides]
    assert later == [200 if status == 200 else 404 for status in (node, ours)]


def test_nothing_is_predicted_for_a_raw_answer() -> None:
    """The model predicts nothing for an answer that is given as bytes."""
    opened = Open(reply=Reply(raw="HTTP/1.1 200 OK\r\n\r\n"))
    items = predict((opened, Send({"token": "$T"}), Fence()), Model(node=True, envelope=False))
    assert set(items) == {"during"}


@pytest.mark.parametrize(
    ("coding", "packing", "arrives"),
    [
        ("gzip", "gzip", True),
        ("GZip", "gzip twice", True),
        ("Identity", "", True),
        ("deflate", "deflate", True),
        ("gzip", "", False),
        ("gzip", "gzip cut", False),
        ("identity", "gzip", False),
        ("x", "", False),
    ],
)
def test_a_compressed_send_arrives_or_is_an_error(coding: str, packing: str, arrives: bool) -> None:
    """A compressed send that can be decompressed is like any other send."""
    body = {"token": "$T", "event": {"data": "x"}}
    steps = (Open(), SendCompressed(body, coding, packing), Fence())
    items = predict(steps, Model(node=False, envelope=False))
    assert ("1.answer" in items) is arrives
    assert items["2.bytes"][0] == ("data: x\n\n" if arrives else "")
