"""The explanation of differences: numbered divergences, or faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway_shim.parity.fuzz.model import Model
from gateway_shim.parity.fuzz.reference import predict
from gateway_shim.parity.judge.comparison import Difference, compare
from gateway_shim.parity.judge.error_pages import are_one_error
from gateway_shim.parity.steps import Step

__all__ = ["explain"]


def explain(
    steps: Sequence[Step], a: Mapping[str, Any], b: Mapping[str, Any]
) -> tuple[frozenset[int], list[Difference]]:
    """Separate numbered divergences from other differences.

    A difference counts as a divergence only if one side shows exactly what a Node gateway shows
    there, and the other exactly what our gateway must show, or if both show the same error in two
    forms.

    Args:
        steps: the steps of the case.
        a: the observation of one gateway.
        b: the observation of the other gateway.

    Returns:
        The divergences that showed, and the differences that are not divergences.
    """
    numbers: set[int] = set()
    unexplained: list[Difference] = []
    sides = [
        (predict(steps, Model(True, envelope)), predict(steps, Model(False, envelope)))
        for envelope in (False, True)
    ]
    for item in [*a, *(item for item in b if item not in a)]:
        found = compare({item: a.get(item)}, {item: b.get(item)})
        if not found:
            continue
        if are_one_error(a.get(item), b.get(item)) or are_one_error(b.get(item), a.get(item)):
            numbers.add(1)
            continue
        for node, ours in sides:
            if item not in node or item not in ours:
                continue
            touched = node[item][1] | ours[item][1]
            pairs = ((a.get(item), b.get(item)), (b.get(item), a.get(item)))
            if touched and any(
                not compare(node[item][0], first) and not compare(ours[item][0], second)
                for first, second in pairs
            ):
                numbers |= touched
                break
        else:
            unexplained += found
    return frozenset(numbers), unexplained
