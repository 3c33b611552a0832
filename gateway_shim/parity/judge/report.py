"""The report of a run: a table with all differences for people, and JUnit XML for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from gateway_shim.parity.judge.divergences import DIVERGENCES
from gateway_shim.parity.judge.verdict import Kind, Verdict

__all__ = ["junit", "summary", "table"]


def table(verdicts: Sequence[Verdict], expected: str, got: str, verbose: bool = False) -> str:
    """Return the table of scenarios, followed by the divergences and the differences.

    Args:
        verdicts: the verdicts, in the order of the table.
        expected: the name of the expected side in differences.
        got: the name of the other side.
        verbose: True for a row for each case, not only for each scenario.
    """
    rows: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        name = verdict.scenario.id if verbose else verdict.scenario.name
        rows.setdefault(name, Counter())[verdict.text] += 1
    width = max((len(name) for name in rows), default=0)
    lines = [f"{name:<{width}}  {_counts(counts)}" for name, counts in rows.items()]
    seen = sorted({v.divergence for v in verdicts if v.divergence is not None})
    if seen:
        lines += ["", "expected divergences (explained in docs/contract.md):"]
        for number in seen:
            ids = [v.scenario.id for v in verdicts if v.divergence == number]
            lines.append(f"  {number}. {DIVERGENCES[number].title}: {len(ids)} of the scenarios")
    for verdict in verdicts:
        if verdict.kind is Kind.DIFFERENT:
            lines += ["", f"different: {verdict.scenario.id}"]
            for difference in verdict.differences:
                lines += [f"  {line}" for line in difference.lines(expected, got)]
    return "\n".join(lines)


def summary(verdicts: Sequence[Verdict], seconds: float) -> str:
    """Return the line that counts the verdicts of each kind."""
    kinds = Counter(verdict.kind for verdict in verdicts)
    numbers = sorted({v.divergence for v in verdicts if v.divergence is not None})
    parts = [f"{kinds[Kind.SAME]} same"]
    listed = f" ({', '.join(map(str, numbers))})" if numbers else ""
    parts.append(f"{kinds[Kind.DIVERGENCE]} expected divergence{listed}")
    parts.append(f"{kinds[Kind.DIFFERENT]} different")
    parts += [f"{kinds[kind]} {kind}" for kind in (Kind.SKIPPED, Kind.UNRECORDED) if kinds[kind]]
    return f"{_scenarios(len(verdicts))}: {', '.join(parts)}; {seconds:.1f} s"


def junit(verdicts: Iterable[Verdict], suite: str, seconds: float) -> bytes:
    """Return the verdicts as JUnit XML.

    Args:
        verdicts: the verdicts, each of which becomes a test case.
        suite: the name of the suite.
        seconds: the duration of the run.
    """
    all_verdicts = list(verdicts)
    kinds = Counter(verdict.kind for verdict in all_verdicts)
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(all_verdicts)),
        failures=str(kinds[Kind.DIFFERENT]),
        errors="0",
        skipped=str(kinds[Kind.SKIPPED] + kinds[Kind.UNRECORDED]),
        time=f"{seconds:.3f}",
    )
    for verdict in all_verdicts:
        case = ElementTree.SubElement(
            root,
            "testcase",
            classname=f"parity.{verdict.scenario.name}",
            name=verdict.scenario.case or verdict.scenario.name,
        )
        if verdict.kind is Kind.DIFFERENT:
            lines = [line for found in verdict.differences for line in found.lines()]
            failure = ElementTree.SubElement(case, "failure", message="different")
            failure.text = "\n".join(lines)
        elif verdict.kind in (Kind.SKIPPED, Kind.UNRECORDED):
            ElementTree.SubElement(case, "skipped", message=verdict.text)
        elif verdict.kind is Kind.DIVERGENCE:
            ElementTree.SubElement(case, "system-out").text = verdict.text
    text: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return text


def _scenarios(count: int) -> str:
    return f"{count} scenario" if count == 1 else f"{count} scenarios"


def _counts(counts: Counter[str]) -> str:
    if len(counts) == 1:
        text, count = next(iter(counts.items()))
        return text if count == 1 else f"{count} {text}"
    return ", ".join(f"{count} {text}" for text, count in sorted(counts.items()))
