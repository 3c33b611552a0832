"""Reports: the table, the summary, JUnit XML."""

from __future__ import annotations

from xml.etree import ElementTree

from gateway_shim.parity.judge import report
from gateway_shim.parity.judge.comparison import Difference
from gateway_shim.parity.judge.verdict import Kind, Verdict
from gateway_shim.parity.scenario import Scenario


def _verdict(name: str, case: str, kind: Kind, number: int | None = None) -> Verdict:
    differences = (Difference("at", "\0", "\ud800"),) if kind is Kind.DIFFERENT else ()
    return Verdict(Scenario(name, (), {}, case=case), kind, number, differences)


_VERDICTS = [
    _verdict("one", "", Kind.SAME),
    _verdict("many", "a", Kind.SAME),
    _verdict("many", "b", Kind.DIVERGENCE, 3),
    _verdict("many", "c", Kind.SAME),
    _verdict("bad", "", Kind.DIFFERENT),
    _verdict("left", "", Kind.SKIPPED),
]


def test_the_table_has_a_row_for_each_scenario() -> None:
    """The rows are followed by the divergences by number and by all differences."""
    assert report.table(_VERDICTS, "node", "gateway") == (
        "one   same\n"
        "many  1 expected divergence 3, 2 same\n"
        "bad   different\n"
        "left  not played\n"
        "\n"
        "expected divergences (explained in docs/contract.md):\n"
        "  3. data is split at CR LF, CR and LF: 1 of the scenarios\n"
        "\n"
        "different: bad\n"
        "  at at\n"
        '    node     "\\u0000"\n'
        '    gateway  "\\ud800"'
    )


def test_the_verbose_table_has_a_row_for_each_case() -> None:
    """A verbose table does not combine cases."""
    rows = report.table(_VERDICTS[:4], "a", "b", verbose=True).splitlines()[:4]
    assert rows == [
        "one     same",
        "many/a  same",
        "many/b  expected divergence 3",
        "many/c  same",
    ]


def test_the_summary_counts() -> None:
    """The summary always has the three main kinds, and other kinds only if they occur."""
    assert report.summary(_VERDICTS, 1.25) == (
        "6 scenarios: 3 same, 1 expected divergence (3), 1 different, 1 not played; 1.2 s"
    )
    assert report.summary([], 0) == (
        "0 scenarios: 0 same, 0 expected divergence, 0 different; 0.0 s"
    )


def test_junit_has_every_verdict() -> None:
    """The XML has a test case for each verdict and is well-formed for any bytes."""
    root = ElementTree.fromstring(report.junit(_VERDICTS, "parity", 2.0))
    assert root.attrib == {
        "name": "parity",
        "tests": "6",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
        "time": "2.000",
    }
    cases = [(c.get("classname"), c.get("name"), [e.tag for e in c]) for c in root]
    assert cases == [
        ("parity.one", "one", []),
        ("parity.many", "a", []),
        ("parity.many", "b", ["system-out"]),
        ("parity.many", "c", []),
        ("parity.bad", "bad", ["failure"]),
        ("parity.left", "left", ["skipped"]),
    ]
    assert root.findtext("testcase/failure") == (
        'at at\n  expected  "\\u0000"\n  got       "\\ud800"'
    )
