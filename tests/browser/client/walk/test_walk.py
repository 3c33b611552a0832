"""Random walks: whatever happens to the tabs and to the server, no number is missed or double."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.browser.client.walk.script import STATIC, run

pytestmark = pytest.mark.needs("node")

SEEDS = 40
"""The number of walks."""


def walks(static: Path, count: int) -> dict[str, Any]:
    """Run walks with the modules of a folder, and return their report."""
    report: dict[str, Any] = run("walk.mjs", str(static), "0", str(count))
    return report


def test_walks() -> None:
    """Each tab has every number once and in order, or a resync, and one stream is open."""
    result = walks(STATIC, SEEDS)
    assert result["report"] == {}, json.dumps(result["report"], indent=1)
    assert result["opened"] > 3 * SEEDS
    assert result["resyncs"] > SEEDS / 2


@pytest.mark.parametrize(
    ("line", "replacement"),
    [
        ("distance(this.lastEventId, block.id) <= 0) return;", "false) return;"),
        ("this.#stream.rewind(cursor);", "this.#stream.look();"),
    ],
)
def test_the_walks_find_faults(tmp_path: Path, line: str, replacement: str) -> None:
    """A client that does not drop or rewind is found."""
    static = shutil.copytree(STATIC, tmp_path / "static")
    client = static / "sse-client.js"
    source = client.read_text()
    assert source.count(line) == 1
    client.write_text(source.replace(line, replacement))
    report = walks(static, 20)["report"]
    assert any("instead of" in each for walk in report.values() for each in walk["problems"])
