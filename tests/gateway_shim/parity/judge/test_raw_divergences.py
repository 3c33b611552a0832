"""The divergences about odd requests: Node's bare answers become JSON."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.judge.divergences import DIVERGENCES, expectation
from gateway_shim.parity.judge.raw_divergences import RAW_DIVERGENCES, as_json
from gateway_shim.parity.scenarios import SCENARIOS

_PAGE = {"content-type": "text/html; charset=utf-8", "connection": "keep-alive"}
_BARE = {"connection": "close"}


def _one(status: int, headers: dict[str, str], body: str, cors: bool = False) -> dict[str, Any]:
    answer = {"status": status, "headers": headers, "cors": cors, "body": body}
    return {"answers": [answer], "connection": "closed"}


def _error(code: str) -> str:
    return f'{{"error":{{"message":"$TEXT","code":"{code}"}}}}'


@pytest.mark.parametrize(
    ("recorded", "status", "body"),
    [
        (_one(400, _BARE, ""), 400, _error("BAD_REQUEST")),
        (_one(431, _BARE, ""), 431, _error("BAD_REQUEST")),
        (_one(400, _PAGE, "(html page)"), 400, _error("INVALID_JSON")),
        (_one(500, _PAGE, "(html page)", cors=True), 400, _error("INVALID_JSON")),
        (_one(413, _PAGE, "(html page)"), 413, _error("PAYLOAD_TOO_LARGE")),
        (_one(415, _PAGE, "(html page)"), 415, _error("UNSUPPORTED_ENCODING")),
        (_one(404, _PAGE, "(html page)", cors=True), 404, _error("NOT_FOUND")),
        (_one(404, _PAGE, "", cors=True), 404, ""),
    ],
)
def test_bare_answers_and_pages_become_json(
    recorded: dict[str, Any], status: int, body: str
) -> None:
    """The status stays, except for a crash, and the connection's end stays."""
    ours = as_json(recorded)
    answer = ours["answers"][0]
    assert (answer["status"], answer["body"], answer["cors"]) == (status, body, True)
    assert answer["headers"] == {
        **recorded["answers"][0]["headers"],
        "content-type": "application/json; charset=utf-8",
    }
    assert ours["connection"] == "closed"


@pytest.mark.parametrize(
    "recorded",
    [
        _one(200, {"connection": "keep-alive"}, "", cors=True),
        _one(503, {"connection": "keep-alive"}, "", cors=True),
        _one(400, _BARE, '{"error":{}}', cors=True),
        {"status": 404, "body": "(html page)"},
        "text",
        None,
    ],
)
def test_other_values_stay_unchanged(recorded: Any) -> None:
    """Answers with JSON, answers to HEAD and other values stay unchanged."""
    assert as_json(recorded) == recorded


def test_every_entry_belongs_to_a_scenario_and_a_divergence() -> None:
    """Every entry has the id of a scenario and the number of a divergence."""
    assert RAW_DIVERGENCES.keys() <= {scenario.id for scenario in SCENARIOS}
    assert {number for number, _ in RAW_DIVERGENCES.values()} <= DIVERGENCES.keys()


def test_the_rule_and_the_entries_are_part_of_what_is_expected() -> None:
    """The rule is divergence 1, and an entry for a scenario takes precedence."""
    recorded = {"case": "x", "answer": _one(400, _BARE, "")}
    by_rule = expectation("request_heads/line_no_words", "named", recorded)
    assert by_rule is not None
    assert (by_rule[0], by_rule[1]["answer"]) == (1, as_json(recorded["answer"]))
    by_entry = expectation("divergence_17/unknown_method", "named", recorded)
    assert by_entry is not None
    assert by_entry[0] == 17
    fine = {"case": "x", "answer": _one(200, _BARE, "")}
    assert expectation("request_heads/line_no_words", "named", fine) is None
