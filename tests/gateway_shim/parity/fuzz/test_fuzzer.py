"""The fuzzer: differences are found, shrunk and printed; divergences are counted."""

from __future__ import annotations

import contextlib
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.fuzzer import Fuzzer
from gateway_shim.parity.fuzz.generation import generate
from gateway_shim.parity.fuzz.result import FuzzResult, render
from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import Fence, Open, Send
from tests.gateway_shim.parity.conftest import command

pytestmark = pytest.mark.slow

_SENT = (
    Open(headers=(("X-A", "1"),)),
    Send({"token": "$T", "event": {"name": "n", "data": "a\rb\u2028c"}}),
    Fence(),
)


@pytest.mark.slow
def test_a_gateway_agrees_with_itself(shim: Command) -> None:
    """A gateway is the same as itself in all generated cases."""
    played: list[int] = []
    result = Fuzzer(shim, shim, 2).run(generate(1, 30), lambda: played.append(1))
    assert (result.same, result.found, len(played)) == (30, {}, 30)
    assert result.counts() == "30 same, 0 different"


@pytest.mark.slow
def test_a_fault_is_found_and_shrunk(shim: Command) -> None:
    """A differing case is shrunk to the steps that show the difference, and can be replayed."""
    mutant = command("tests.gateway_shim.parity.mutants", "splits_at_unicode_line_ends")
    result = Fuzzer(shim, mutant, 1).run([Case(_SENT), Case(_SENT)], lambda: None)
    smallest = Case((Open(target="/"), Send({"token": "$T", "event": {"data": "\u2028"}}), Fence()))
    assert list(result.found) == [smallest.to_json()]
    assert result.counts() == "0 same, 1 different and 1 more cases"
    text = render(result, "A B", "C", " --dialect named")
    assert text == (
        "different:\n"
        "  at 2.bytes\n"
        '    a  "data: \\u2028\\n\\n"\n'
        '    b  "data: \\ndata: \\n\\n"\n'
        "  replay: parity fuzz --a 'A B' --b C --dialect named --replay "
        f"{shlex.quote(smallest.to_json())}\n"
    )


def test_a_fault_that_undoes_a_divergence_is_that_divergence(shim: Command) -> None:
    """A mutant that does as Node does is counted under the divergence's number."""
    mutant = command("tests.gateway_shim.parity.mutants", "no_cr_split")
    result = Fuzzer(shim, mutant, 1).run([Case(_SENT)], lambda: None)
    assert result == FuzzResult(divergences=Counter({3: 1}))
    assert result.counts() == "0 same, expected divergences (3: 1), 0 different"


class _Scripted:
    """A gateway that gives scripted observations and then repeats the last one."""

    name, players_at_once, starts_gateways = "scripted", 1, False

    def __init__(self, *seen: Any) -> None:
        self._seen = list(seen)

    @contextlib.contextmanager
    def player(self, process: Process) -> Iterator[Any]:
        """Provide this object as the player."""
        yield self

    def play(self, scenario: Scenario) -> Any:
        """Return the next observation."""
        return self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]


def test_a_case_that_differs_once_is_reported_apart() -> None:
    """A case that differs once is printed without shrinking, and does not count as different."""
    late = {"0.head": {"status": 504}, "0.callbacks": []}
    good = {"0.head": {"status": 200}, "0.callbacks": ["connect"]}
    case = Case((Open(target="/abc"),))
    result = Fuzzer(_Scripted(good), _Scripted(late, good), 1).run([case, case], lambda: None)
    assert (result.same, result.found, list(result.once)) == (1, {}, [case.to_json()])
    assert result.counts() == "1 same, 0 different, 1 different once"
    text = render(result, "A", "B")
    assert text.startswith("different once, but not in 3 more plays")
    assert f"--replay {shlex.quote(case.to_json())}" in text


def test_a_case_that_differs_again_is_shrunk() -> None:
    """A case is shrunk although one of its further plays agrees."""
    good, bad = {"0.head": 1}, {"0.head": 2}
    case = Case((Open(target="/abc"),))
    result = Fuzzer(_Scripted(good), _Scripted(bad, good, bad), 1).run([case], lambda: None)
    assert list(result.found) == [Case((Open(target="/"),)).to_json()]
    assert result.once == {}


def test_shrinking_stays_with_the_difference() -> None:
    """A smaller case that differs at another place is not taken."""
    good, bad, other = ({"0.head": 1, "0.body": 1}, {"0.head": 2, "0.body": 1}, {"0.body": 2})
    case = Case((Open(target="/abc"),))
    scripted = _Scripted(bad, bad, {**good, **other})
    result = Fuzzer(_Scripted(good), scripted, 1).run([case], lambda: None)
    assert list(result.found) == [case.to_json()]


def test_a_gateway_that_does_not_start_ends_the_run(shim: Command) -> None:
    """A gateway that does not start ends the run with the launcher's message."""
    with pytest.raises(GatewayFailed, match="does not start"):
        Fuzzer(shim, Command("no-such-command"), 1).run([Case(_SENT)], lambda: None)
