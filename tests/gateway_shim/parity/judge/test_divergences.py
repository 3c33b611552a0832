"""The numbered divergences: each has exact answers and excuses nothing else."""

from __future__ import annotations

import pytest

from gateway_shim.parity.judge.divergences import DIVERGENCES, expectation
from gateway_shim.parity.judge.recording import BUILT_IN, load


def test_each_has_its_number() -> None:
    """The numbers are those of the contract page, in order."""
    assert all(key == value.number for key, value in DIVERGENCES.items())
    assert list(DIVERGENCES) == sorted(DIVERGENCES)


def test_only_the_given_parts_are_replaced() -> None:
    """The other parts of the recorded observation are expected unchanged."""
    recorded = load("node-2025-11").entries["buffered_close_only"]
    assert expectation("buffered_close_only", "named", recorded) == (4, {**recorded, "bytes": ""})


def test_only_the_content_type_of_a_head_is_replaced() -> None:
    """The CORS headers of a 404 are expected unchanged."""
    recorded = load("node-2025-11").entries["other_methods/DELETE /x"]
    found = expectation("other_methods/DELETE /x", "named", recorded)
    assert found is not None
    head = recorded["head"]
    kind = {"content-type": "application/json; charset=utf-8"}
    assert found[1] == {
        **recorded,
        "head": {**head, "headers": {**head["headers"], **kind}},
        "body": '{"error":{"message":"$TEXT","code":"NOT_FOUND"}}',
    }


@pytest.mark.parametrize("dialect", ["named", "envelope"])
def test_an_answer_with_a_status_above_599_is_replaced(dialect: str) -> None:
    """The client gets the answer for a backend that is not available."""
    entries = load(BUILT_IN[dialect]).entries
    recorded, reset = entries["divergence_9/600"], entries["callback_answers/reset"]
    body = '{"error":{"message":"$TEXT","code":"BACKEND_UNAVAILABLE"}}'
    found = expectation("divergence_9/600", dialect, recorded)
    assert found == (9, {**reset, "case": "600", "body": body})


@pytest.mark.parametrize(
    ("scenario", "dialect"),
    [("connect_ok", "named"), ("send_events/named_empty_data", "named"), ("nothing", "envelope")],
)
def test_nothing_else_is_excused(scenario: str, dialect: str) -> None:
    """A scenario without a divergence in its dialect is not excused."""
    assert expectation(scenario, dialect, {"bytes": ""}) is None


@pytest.mark.parametrize("dialect", ["named", "envelope"])
def test_every_expectation_belongs_to_a_recorded_scenario(dialect: str) -> None:
    """Every number occurs in the recording of its dialect, so no scenario id is misspelled."""
    entries = load(BUILT_IN[dialect]).entries
    found = (expectation(name, dialect, recorded) for name, recorded in entries.items())
    numbers = {ours[0] for ours in found if ours is not None}
    assert numbers == (set(DIVERGENCES) - {6} if dialect == "named" else set(DIVERGENCES))
