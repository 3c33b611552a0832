"""Fuzzing: differences are found, shrunk and printed; divergences are counted instead."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.fuzzer import Fuzzer, Outcome, explain, render
from gateway_shim.parity.fuzz.generation import generate
from gateway_shim.parity.judge.comparison import Difference
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import Fence, Open, Post, Send
from tests.gateway_shim.parity.conftest import command

_SENT = (
    Open(headers=(("X-A", "1"),)),
    Send({"token": "$T", "event": {"name": "n", "data": "a\rb\u2028c"}}),
    Fence(),
)


@pytest.mark.slow
def test_a_gateway_agrees_with_itself(shim: Command) -> None:
    """On generated cases, each of which is played."""
    played: list[int] = []
    outcome = Fuzzer(shim, shim, 2).run(generate(1, 30), lambda: played.append(1))
    assert (outcome.same, outcome.found, len(played)) == (30, {}, 30)
    assert outcome.counts() == "30 same, 0 different"


@pytest.mark.slow
def test_a_fault_is_found_and_shrunk(shim: Command) -> None:
    """What is left of the case is what is needed to see it, and it can be replayed."""
    mutant = command("tests.gateway_shim.parity.mutants", "splits_at_unicode_line_ends")
    outcome = Fuzzer(shim, mutant, 1).run([Case(_SENT), Case(_SENT)], lambda: None)
    smallest = Case((Open(target="/"), Send({"token": "$T", "event": {"data": "\u2028"}}), Fence()))
    assert list(outcome.found) == [smallest.to_json()]
    assert outcome.counts() == "0 same, 1 different and 1 more cases"
    text = render(outcome, "A B", "C", " --dialect named")
    assert text == (
        "different:\n"
        "  at 2.bytes\n"
        '    a  "data: \\u2028\\n\\n"\n'
        '    b  "data: \\ndata: \\n\\n"\n'
        "  replay: parity fuzz --a 'A B' --b C --dialect named --replay "
        f"{shlex.quote(smallest.to_json())}\n"
    )


def test_a_fault_that_undoes_a_divergence_is_that_divergence(shim: Command) -> None:
    """The mutant does as Node does there: counted by its number."""
    mutant = command("tests.gateway_shim.parity.mutants", "no_cr_split")
    outcome = Fuzzer(shim, mutant, 1).run([Case(_SENT)], lambda: None)
    assert outcome == Outcome(divergences=Counter({3: 1}))
    assert outcome.counts() == "0 same, expected divergences (3: 1), 0 different"


class _Scripted:
    """A gateway whose plays give scripted observations, the last one again and again."""

    name, stages_at_once, own_processes = "scripted", 1, False

    def __init__(self, *seen: Any) -> None:
        self._seen = list(seen)

    @contextlib.contextmanager
    def stage(self, process: Process) -> Iterator[Any]:
        """Itself."""
        yield self

    def play(self, scenario: Scenario) -> Any:
        """The next observation."""
        return self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]


def test_what_differs_once_is_told_apart() -> None:
    """It is printed with its case, which is not shrunk; it is not counted as a fault."""
    late = {"0.head": {"status": 504}, "0.callbacks": []}
    good = {"0.head": {"status": 200}, "0.callbacks": ["connect"]}
    case = Case((Open(target="/abc"),))
    outcome = Fuzzer(_Scripted(good), _Scripted(late, good), 1).run([case, case], lambda: None)
    assert (outcome.same, outcome.found, list(outcome.once)) == (1, {}, [case.to_json()])
    assert outcome.counts() == "1 same, 0 different, 1 different once"
    text = render(outcome, "A", "B")
    assert text.startswith("different once, and not in 3 more plays")
    assert f"--replay {shlex.quote(case.to_json())}" in text


def test_what_differs_again_is_shrunk() -> None:
    """Also if one of the plays in between agrees."""
    good, bad = {"0.head": 1}, {"0.head": 2}
    case = Case((Open(target="/abc"),))
    outcome = Fuzzer(_Scripted(good), _Scripted(bad, good, bad), 1).run([case], lambda: None)
    assert list(outcome.found) == [Case((Open(target="/"),)).to_json()]
    assert outcome.once == {}


def test_shrinking_stays_with_the_difference() -> None:
    """A smaller case that differs elsewhere is another matter."""
    good, bad, other = ({"0.head": 1, "0.body": 1}, {"0.head": 2, "0.body": 1}, {"0.body": 2})
    case = Case((Open(target="/abc"),))
    scripted = _Scripted(bad, bad, {**good, **other})
    outcome = Fuzzer(_Scripted(good), scripted, 1).run([case], lambda: None)
    assert list(outcome.found) == [case.to_json()]


def test_a_gateway_that_does_not_start_ends_it(shim: Command) -> None:
    """With the launcher's message."""
    with pytest.raises(GatewayFailed, match="does not start"):
        Fuzzer(shim, Command("no-such-command"), 1).run([Case(_SENT)], lambda: None)


def test_only_the_exact_pair_of_answers_is_a_divergence() -> None:
    """Node's bytes on one side and ours on the other; anything else is a difference."""
    node, ours = {"2.bytes": "x"}, {"2.bytes": "y"}
    steps = (Open(), Send({"token": "$T", "event": {"data": "a\rb"}}), Fence())
    right = ({"2.bytes": "data: a\rb\n\n"}, {"2.bytes": "data: a\ndata: b\n\n"})
    assert explain(steps, *right) == (frozenset({3}), [])
    assert explain(steps, *reversed(right)) == (frozenset({3}), [])
    assert explain(steps, right[0], right[0]) == (frozenset(), [])
    assert explain(steps, node, ours) == (frozenset(), [Difference("2.bytes", "x", "y")])
    assert explain(steps, right[0], ours)[1] != []


def test_an_error_in_another_form_is_a_divergence() -> None:
    """On either side; one with another status is a difference."""
    page = {"status": 400, "headers": {"content-type": "text/html; charset=utf-8"}}
    node = {"0.answer": {**page, "body": "(html page)"}}
    error = {"error": {"message": "m", "code": "INVALID_JSON"}}
    kind = {"content-type": "application/json; charset=utf-8"}
    ours = {"0.answer": {"status": 400, "headers": kind, "json": error}}
    other = {"0.answer": {"status": 415, "headers": kind, "json": error}}
    assert explain((Post("{"),), node, ours) == (frozenset({1}), [])
    assert explain((Post("{"),), ours, node) == (frozenset({1}), [])
    assert explain((Post("{"),), node, other)[1] != []


def test_a_difference_without_a_divergence_is_one() -> None:
    """Also where the model says nothing."""
    assert explain((Open(),), {"0.head": 1}, {}) == (
        frozenset(),
        [Difference("0.head", 1, None)],
    )
