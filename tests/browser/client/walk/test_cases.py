"""Cases of a client that happen seldom: in virtual time, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.client.walk.script import STATIC, run

pytestmark = pytest.mark.needs("node")

EXPECTED: dict[str, Any] = {
    "locksAreRefused": ["open", "direct"],
    "aPageThatDoesNotShareLeadsNobody": ["alone", "other"],
    "aStreamThatTheServerHasClosed": ["closed", "the server has closed the stream", 0, 1],
    "closeInAHandler": [[1], "closed"],
    "closeWhileWelcomed": ["closed", 1],
    "closeInAStateHandler": ["closed", "closed"],
    "aHandlerThatRegistersItselfAgain": [1, 2],
    "aRemovedHandlerIsNotCalled": [],
    "aTaskHandlerThatRemovesItself": ["task_started"],
    "nobodyWaitsForATask": [0, "rejected"],
    "idsOfOtherServers": {"number": [[2], [], 2], "entity": [[2], [], 2]},
    "idsThatAreNotOrdered": True,
    "aStreamThatBeginsWithAComment": [[1], []],
    "aServerThatStopsToSendIds": [["no_ids"], ""],
    "anEndlessGraceTime": "waiting",
    "aDeadStreamIsReplacedAtOnce": ["open", True],
    "aTabWhoseNameHasChanged": [["unknown"], True, "open"],
    "aBrowserThatComesBackAlone": [[], True, "open"],
}
"""The results of the cases, by their names in cases.mjs."""


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """Run all cases."""
    results: dict[str, Any] = run("cases.mjs", str(STATIC))
    return results


@pytest.mark.parametrize("case", EXPECTED)
def test_cases(results: dict[str, Any], case: str) -> None:
    """Each case ends as it should."""
    assert results[case] == EXPECTED[case]


def test_all_cases_are_expected(results: dict[str, Any]) -> None:
    """No case is left out."""
    assert results.keys() == EXPECTED.keys()
