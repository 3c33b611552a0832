"""The generators find faults that no scenario shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.explanation import explain
from gateway_shim.parity.fuzz.fuzzer import Fuzzer
from gateway_shim.parity.fuzz.generation import generate
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.scenario import Process
from gateway_shim.parity.steps import Open, Send, SendCompressed, Step
from tests.gateway_shim.parity.conftest import command
from tests.gateway_shim.parity.mutants import FUZZ_MUTANTS

pytestmark = pytest.mark.slow

_CASES = generate(1, 4000)
_ENOUGH = 12

_WHERE: Mapping[str, Callable[[Step], bool]] = {
    "long_target_cut": lambda step: isinstance(step, Open) and len(step.target) > 8000,
    "hundred_headers": lambda step: isinstance(step, Open) and len(step.headers) > 100,
    "coding_by_its_letters": lambda step: isinstance(step, SendCompressed),
    "depth_limit": lambda step: (
        isinstance(step, Send)
        and isinstance(step.body, dict)
        and isinstance(step.body.get("event"), dict)
        and "[" * 950 in str(step.body["event"].get("data"))
    ),
    "standard_phrase": lambda step: (
        isinstance(step, Open) and " 403 " in str(step.reply.raw).partition("\r")[0]
    ),
}
"""The steps in which each fault can show."""


def _cases(name: str) -> list[Case]:
    return [case for case in _CASES if any(map(_WHERE[name], case.steps))][:_ENOUGH]


@pytest.mark.parametrize("name", FUZZ_MUTANTS)
def test_a_fault_is_found_by_generated_cases(name: str) -> None:
    """One of the first generated cases of the fault's kind shows the fault."""
    envelope = (("PYTHONPATH", command("x").environment[0][1]), ("SSE_DIALECT", "envelope"))
    shim = replace(command("gateway_shim"), environment=envelope)
    faulty = command("tests.gateway_shim.parity.mutants", name)
    with (
        shim.player(Process()) as a,
        replace(faulty, environment=envelope).player(Process()) as b,
    ):
        assert any(_differ(case, a, b) for case in _cases(name))


def _differ(case: Case, a: Player, b: Player) -> bool:
    scenario = case.scenario()
    return explain(case.steps, a.play(scenario), b.play(scenario))[1] != []


def test_shims_without_faults_agree_in_these_cases() -> None:
    """Two shims without faults agree in some cases of each kind."""
    shim = command("gateway_shim")
    cases = [case for name in FUZZ_MUTANTS for case in _cases(name)[:3]]
    outcome = Fuzzer(shim, shim, 1).run(cases, lambda: None)
    assert (outcome.same, outcome.found) == (len(cases), {})
