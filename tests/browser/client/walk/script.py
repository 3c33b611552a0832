"""Runs a script of this folder in Node.js."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.processes.child import ROOT
from tests.support.timing import TIME_LIMIT

__all__ = ["STATIC", "run"]

STATIC = ROOT / "gateway_shim" / "static"
"""The folder of the client's modules."""


def run(script: str, *arguments: str) -> Any:
    """Run a script, and return the JSON that it has printed.

    Args:
        script: the name of its file.
        arguments: its arguments.
    """
    answer = subprocess.run(
        ["node", "--no-warnings", str(Path(__file__).with_name(script)), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)
