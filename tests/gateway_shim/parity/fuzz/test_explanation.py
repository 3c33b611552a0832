"""Explanations: exact pairs of answers are divergences, and everything else is a difference."""

from __future__ import annotations

from gateway_shim.parity.fuzz.explanation import explain
from gateway_shim.parity.judge.comparison import Difference
from gateway_shim.parity.steps import Fence, Open, Post, Send


def test_only_the_exact_pair_of_answers_is_a_divergence() -> None:
    """Only Node's bytes on one side and ours on the other are a divergence."""
    node, ours = {"2.bytes": "x"}, {"2.bytes": "y"}
    steps = (Open(), Send({"token": "$T", "event": {"data": "a\rb"}}), Fence())
    right = ({"2.bytes": "data: a\rb\n\n"}, {"2.bytes": "data: a\ndata: b\n\n"})
    assert explain(steps, *right) == (frozenset({3}), [])
    assert explain(steps, *reversed(right)) == (frozenset({3}), [])
    assert explain(steps, right[0], right[0]) == (frozenset(), [])
    assert explain(steps, node, ours) == (frozenset(), [Difference("2.bytes", "x", "y")])
    assert explain(steps, right[0], ours)[1] != []


def test_an_error_in_another_form_is_a_divergence() -> None:
    """One error in two forms is a divergence on either side; another status is a difference."""
    page = {"status": 400, "headers": {"content-type": "text/html; charset=utf-8"}}
    node = {"0.answer": {**page, "body": "(html page)"}}
    error = {"error": {"message": "m", "code": "INVALID_JSON"}}
    kind = {"content-type": "application/json; charset=utf-8"}
    ours = {"0.answer": {"status": 400, "headers": kind, "json": error}}
    other = {"0.answer": {"status": 415, "headers": kind, "json": error}}
    assert explain((Post("{"),), node, ours) == (frozenset({1}), [])
    assert explain((Post("{"),), ours, node) == (frozenset({1}), [])
    assert explain((Post("{"),), node, other)[1] != []


def test_an_item_without_a_prediction_is_a_difference() -> None:
    """A difference in an item that the model does not cover is a difference."""
    assert explain((Open(),), {"0.head": 1}, {}) == (
        frozenset(),
        [Difference("0.head", 1, None)],
    )
