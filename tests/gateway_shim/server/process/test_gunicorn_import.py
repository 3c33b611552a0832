"""Tests of the import of gunicorn with a WEB_CONCURRENCY that it cannot read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gateway_shim.server.process.gunicorn_import import gunicorn_importable
from tests.support.processes.child import ROOT

PROGRAM = """
import os
from gateway_shim.server.process.gunicorn_import import gunicorn_importable
with gunicorn_importable():
    import gunicorn.config
print(gunicorn.config.Config().workers, os.environ["WEB_CONCURRENCY"])
"""


@pytest.mark.parametrize("text", ["x", "4", ""])
def test_gunicorn_reads_nothing(text: str) -> None:
    """gunicorn is imported with its own default, whatever the variable holds."""
    env = os.environ | {"WEB_CONCURRENCY": text}
    program = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert ended.stdout == f"1 {text}\n"


def test_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is not set stays so, also if the import fails."""
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    with pytest.raises(ImportError), gunicorn_importable():
        raise ImportError
    assert "WEB_CONCURRENCY" not in os.environ
