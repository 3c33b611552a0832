"""The table of faults: each test says what was sent and what arrived."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.canary.canary import IDLE_FLOOR, Canary

Tally = Callable[[str, int, int, str], None]
"""Takes a fault, the deliveries that were due, those that arrived, and what was lost."""

AttackTally = Callable[[str, float, float, int, int], None]
"""Takes an attack, the canary's 99th percentile without and under it, seconds, and the resident
memory before and after it, bytes."""

_rows: list[str] = []
_attacks: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _table() -> Iterator[None]:
    """With FAULT_TABLE=path: write the rows of docs/operations.md's two tables there."""
    yield
    path = os.environ.get("FAULT_TABLE")
    if path:
        rows = [*dict.fromkeys(_rows), "\n", *_attacks]
        Path(path).write_text("".join(rows), encoding="utf-8")


@pytest.fixture
def tally() -> Tally:
    """Takes a row of the table."""

    def add(fault: str, due: int, arrived: int, lost: str) -> None:
        _rows.append(f"| {fault} | {due:,} | {arrived:,} | {lost} |\n")

    return add


@pytest.fixture
def attack_tally() -> AttackTally:
    """Takes a row of the table of attacks."""

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
    """Start a canary beside the server on a port; it is stopped after the test."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(Canary(port))
