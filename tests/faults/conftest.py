"""The tables of faults and of attacks, to which each test adds a row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.canary.canary import IDLE_FLOOR, Canary

Tally = Callable[[str, int, int, str], None]
"""A function that takes a fault, the number of deliveries that were due, the number that arrived,
and a text that describes the loss."""

AttackTally = Callable[[str, float, float, int, int], None]
"""A function that takes an attack, the canary's 99th percentile without and with it (seconds), and
the resident memory before and after it (bytes)."""

_rows: list[str] = []
_attacks: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _table() -> Iterator[None]:
    """Write the rows of docs/operations.md's two tables to the file FAULT_TABLE, if it is set."""
    yield
    path = os.environ.get("FAULT_TABLE")
    if path:
        rows = [*dict.fromkeys(_rows), "\n", *_attacks]
        Path(path).write_text("".join(rows), encoding="utf-8")


@pytest.fixture
def tally() -> Tally:
    """Return a function that adds a row to the table of faults."""

    def add(fault: str, due: int, arrived: int, lost: str) -> None:
        _rows.append(f"| {fault} | {due:,} | {arrived:,} | {lost} |\n")

    return add


@pytest.fixture
def attack_tally() -> AttackTally:
    """Return a function that adds a row to the table of attacks."""

    def add(attack: str, idle: float, attacked: float, before: int, after: int) -> None:
        name = attack.replace("_", " ")
        ratio = attacked / max(idle, IDLE_FLOOR)
        _attacks.append(
            f"| {name} | {1e3 * idle:.1f} ms | {1e3 * attacked:.1f} ms | {ratio:.1f}"
            f" | {before / 1e6:.1f} MB | {after / 1e6:.1f} MB |\n"
        )

    return add


@pytest.fixture
def canary() -> Iterator[Callable[[int], Canary]]:
    """Return a function that starts a canary for a port. The canary is stopped after the test."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(Canary(port))
