"""The table of faults: each test says what was sent and what arrived."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.canary import Canary

Tally = Callable[[str, int, int, str], None]
"""Takes a fault, the deliveries that were due, those that arrived, and what was lost."""

_rows: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def _table() -> Iterator[None]:
    """With FAULT_TABLE=path: write the rows of docs/operations.md's table there."""
    yield
    path = os.environ.get("FAULT_TABLE")
    if path:
        Path(path).write_text("".join(dict.fromkeys(_rows)), encoding="utf-8")


@pytest.fixture
def tally() -> Tally:
    """Takes a row of the table."""

    def add(fault: str, due: int, arrived: int, lost: str) -> None:
        _rows.append(f"| {fault} | {due:,} | {arrived:,} | {lost} |\n")

    return add


@pytest.fixture
def canary() -> Iterator[Callable[[int], Canary]]:
    """Start a canary beside the server on a port; it is stopped after the test."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(Canary(port))
