"""Shrinking: every candidate is playable and smaller."""

from __future__ import annotations

from gateway_shim.parity.cases import Case
from gateway_shim.parity.generation import generate
from gateway_shim.parity.shrinking import smaller
from gateway_shim.parity.steps import Drop, Fence, Open, Send
from gateway_shim.parity.stub_backend import Reply


def test_every_candidate_is_playable_and_not_larger() -> None:
    """Of any generated case."""
    for case in generate(5, 60):
        for candidate in smaller(case):
            assert candidate != case
            assert candidate.is_playable()
            assert len(candidate.to_json()) <= len(case.to_json())


def test_a_stream_goes_with_all_its_steps() -> None:
    """First what takes most away."""
    case = Case((Open("a"), Open("b"), Fence("a"), Drop("b")))
    assert next(smaller(case)) == Case((Open("b"), Drop("b")))


def test_the_parts_of_a_step_go_one_by_one() -> None:
    """Version, reply, its sends, headers, target; then event, fields and texts."""
    opened = Open(
        "s", "/ab", (("A", "1"), ("B", "2")), version="1.0", reply=Reply(201, sends=({}, []))
    )
    send = Send({"token": "$T", "event": {"data": "xy"}, "close": True})
    found = [candidate.steps for candidate in smaller(Case((opened, send)))]
    firsts = [steps[0] for steps in found if isinstance(steps[0], Open)]
    bodies = [steps[-1].body for steps in found if isinstance(steps[-1], Send)]
    variants = [(o.version, o.reply, len(o.headers), o.target) for o in firsts]
    assert ("1.1", opened.reply, 2, "/ab") in variants
    assert ("1.0", Reply(), 2, "/ab") in variants
    assert ("1.0", Reply(201, sends=([],)), 2, "/ab") in variants
    assert ("1.0", opened.reply, 1, "/ab") in variants
    assert ("1.0", opened.reply, 2, "/b") in variants
    assert all(target.startswith("/") for *_, target in variants)
    for body in (
        {"token": "$T", "event": {"data": "xy"}},
        {"token": "$T", "close": True},
        {"token": "$T", "event": {}, "close": True},
        {"token": "$T", "event": {"data": "x"}, "close": True},
    ):
        assert body in bodies


def test_long_texts_are_halved() -> None:
    """A kilobyte does not take a thousand tries."""
    case = Case((Open("s"), Send({"token": "$T", "event": {"data": "x" * 1000}})))
    sizes = {
        len(step.body["event"]["data"])
        for candidate in smaller(case)
        for step in candidate.steps
        if isinstance(step, Send) and "data" in step.body.get("event", {})
    }
    assert sizes == {500, 1000}  # 1000: where the stream before it goes first
