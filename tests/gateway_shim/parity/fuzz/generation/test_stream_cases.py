"""Generated cases: repeatable, playable, and of every kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from gateway_shim.parity.fuzz.cases import Case
from gateway_shim.parity.fuzz.generation import generate, has_empty_rejection
from gateway_shim.parity.steps import Open, Send, SendCompressed


def _bodies(case: Case) -> Iterator[Any]:
    for step in case.steps:
        if isinstance(step, Open):
            yield from step.reply.sends
        elif isinstance(step, Send | SendCompressed):
            yield step.body


def test_a_seed_gives_the_same_cases_always() -> None:
    """A seed always gives the same cases, and a larger count begins with them."""
    cases = generate(7, 20)
    assert generate(7, 30)[:20] == cases
    assert generate(8, 20) != cases


def test_every_case_can_be_played_and_replayed() -> None:
    """A printed case is read back as the same case."""
    for case in generate(3, 500):
        assert case.is_playable()
        assert Case.from_json(case.to_json()) == case


def test_all_kinds_of_steps_are_generated() -> None:
    """Every kind of step that the fuzzer uses occurs."""
    kinds = Counter(type(step).__name__ for case in generate(1, 300) for step in case.steps)
    assert set(kinds) == {
        "AwaitCallback", "Drop", "End", "Fence", "Gone", "Open", "Post", "Raw", "Release",
        "Request", "Send", "SendCompressed",
    }  # fmt: skip


def test_a_rejection_without_data_is_never_generated() -> None:
    """No seed generates a rejection without data."""
    bodies = [body for seed in range(60) for case in generate(seed, 200) for body in _bodies(case)]
    assert len(bodies) > 10_000
    assert [body for body in bodies if has_empty_rejection(body)] == []


def test_slow_cases_are_rare() -> None:
    """Withheld answers and deep texts are rare, so that many cases are played each second."""
    cases = generate(2, 1000)
    opened = [step for case in cases for step in case.steps if isinstance(step, Open)]
    withheld = [step for step in opened if step.reply.after == "withhold"]
    assert 0 < len(withheld) < len(cases) / 20
    assert sum(len(case.to_json()) for case in cases) < 4000 * len(cases)
