"""docs/contract.md and the README have the divergences and scenarios of the contract kit."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from gateway_shim.parity.judge import divergences
from gateway_shim.parity.judge.comparison import compare
from gateway_shim.parity.judge.recording import BUILT_IN, load
from gateway_shim.parity.scenarios import SCENARIOS

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs/contract.md").read_text("utf-8")
_README = (_ROOT / "README.md").read_text("utf-8")


def _counts(dialect: str) -> Counter[int]:
    """Return the number of scenarios for each divergence of the shim; 0 means no divergence."""
    counts: Counter[int] = Counter()
    for name, recorded in load(BUILT_IN[dialect]).entries.items():
        ours = divergences.expectation(name, dialect, recorded)
        counts[ours[0] if ours is not None and compare(recorded, ours[1]) else 0] += 1
    return counts


def _summary(dialect: str) -> str:
    """Return the last line of a report, without the seconds."""
    counts = _counts(dialect)
    numbers = ", ".join(map(str, sorted(counts.keys() - {0})))
    diverging = counts.total() - counts[0]
    return (
        f"{len(SCENARIOS)} scenarios: {counts[0]} same, "
        f"{diverging} expected divergence ({numbers}), 0 different; "
    )


def test_the_page_lists_every_divergence_in_order() -> None:
    """The page has a numbered paragraph for each divergence, and no others."""
    listed = re.findall(r"^([0-9]+)\. \*\*", _PAGE, re.MULTILINE)
    assert [int(number) for number in listed] == list(divergences.DIVERGENCES)


def test_the_divergences_are_numbered_without_a_gap() -> None:
    """The numbers of the divergences have no gap."""
    assert list(divergences.DIVERGENCES) == list(range(1, len(divergences.DIVERGENCES) + 1))


def test_the_report_on_the_page_is_what_the_kit_would_print() -> None:
    """The report on the page has the title and the count of each divergence, and the summary."""
    counts = _counts("envelope")
    lines = [
        f"  {number}. {divergences.DIVERGENCES[number].title}: {counts[number]} of the scenarios"
        for number in sorted(counts.keys() - {0})
    ]
    assert "\n".join([*lines, "", _summary("envelope")]) in _PAGE


@pytest.mark.parametrize("dialect", ["named", "envelope"])
def test_the_readme_has_the_last_line_of_a_report(dialect: str) -> None:
    """The README has the last line of a report with the current counts."""
    assert _summary(dialect) in _README
