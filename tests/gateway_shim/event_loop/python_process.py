"""Runs a script in a Python process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from tests.support.timing import TIME_LIMIT


def run_python(*scripts: str) -> str:
    """Run scripts, one after the other, in one Python process.

    Returns:
        The output, without the last line end. A process that fails fails the test.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(map(textwrap.dedent, scripts))],
        timeout=TIME_LIMIT * 2,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()
