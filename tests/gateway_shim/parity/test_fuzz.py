"""Fuzzing: differences are found, shrunk and printed; divergences are counted instead."""

from __future__ import annotations

import shlex
from collections import Counter

import pytest

from gateway_shim.parity.cases import Case
from gateway_shim.parity.comparison import Difference
from gateway_shim.parity.fuzz import Fuzzer, Outcome, explain, render
from gateway_shim.parity.generation import generate
from gateway_shim.parity.launcher import GatewayFailed
from gateway_shim.parity.steps import Fence, Open, Send
from gateway_shim.parity.targets import Command
from tests.gateway_shim.parity.conftest import command

_SENT = (
    Open(headers=(("X-A", "1"),)),
    Send({"token": "$T", "event": {"name": "n", "data": "a\rb\u2028c"}}),
    Fence(),
)


def test_a_gateway_agrees_with_itself(shim: Command) -> None:
    """On generated cases, each of which is played."""
    played: list[int] = []
    outcome = Fuzzer(shim, shim, 2).run(generate(1, 30), lambda: played.append(1))
    assert (outcome.same, outcome.found, len(played)) == (30, {}, 30)
    assert outcome.counts() == "30 same, 0 different"


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


def test_a_difference_without_a_divergence_is_one() -> None:
    """Also where the model says nothing."""
    assert explain((Open(),), {"0.head": 1}, {}) == (
        frozenset(),
        [Difference("0.head", 1, None)],
    )
