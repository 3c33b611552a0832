"""``make serve`` has settings of its own for the first steps, which give way to the user's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.processes.server import ROOT

_PROGRAM = '#!/bin/sh\necho "$1 in ${SSE_STATE_DIR-nothing}, reads ${TASK_FILES_ROOT-nothing}"\n'


def make(folder: Path, target: str, *variables: str, **env: str) -> str:
    """Run a target of the Makefile in a folder, with a program that prints two of its settings."""
    program = folder / "bin" / "sse-monolith"
    program.parent.mkdir(exist_ok=True)
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    (folder / "pyproject.toml").touch()
    (folder / "serving").touch()
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    run = subprocess.run(
        [
            *("make", "--silent", f"--makefile={ROOT / 'Makefile'}", target),
            *(f"BIN={folder}/bin", f"SERVING={folder}/serving", *variables),
        ],
        cwd=folder,
        env=kept | env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""
    return run.stdout


@pytest.mark.parametrize(
    ("env", "dotenv", "expected"),
    [
        ({}, None, ".state/5000"),
        ({"PORT": "5007"}, None, ".state/5007"),
        ({"SSE_STATE_DIR": ""}, "PORT=1\n#SSE_STATE_DIR=/x\nMY_SSE_STATE_DIR=/x\n", ".state/5000"),
        ({"SSE_STATE_DIR": "/mine"}, None, "/mine"),
        ({}, "SSE_STATE_DIR=/mine\n", "nothing"),
        ({}, "A=b\n  export sse_state_dir = '/mine'\n", "nothing"),
    ],
)
def test_serve(tmp_path: Path, env: dict[str, str], dotenv: str | None, expected: str) -> None:
    """Without a state directory in the environment or in .env, there is one in the checkout."""
    if dotenv is not None:
        (tmp_path / ".env").write_text(dotenv)
    assert make(tmp_path, "serve", **env) == f"serve in {expected}, reads .\n"
    assert (tmp_path / ".state").exists() is expected.startswith(".state")
    if expected.startswith(".state"):
        assert (tmp_path / ".state").stat().st_mode & 0o777 == 0o700
        assert make(tmp_path, "serve", **env) == f"serve in {expected}, reads .\n"


@pytest.mark.parametrize(
    ("env", "dotenv", "expected"),
    [
        ({"TASK_FILES_ROOT": "/mine"}, "", "/mine"),
        ({}, "task_files_root=/mine\n", "nothing"),
        ({"FLASK_ENV": "production"}, "", "nothing"),
        ({}, "FLASK_ENV=production\n", "nothing"),
    ],
)
def test_files(tmp_path: Path, env: dict[str, str], dotenv: str, expected: str) -> None:
    """``digest_tree`` may read the checkout, unless the user names a folder or an environment."""
    (tmp_path / ".env").write_text(dotenv)
    assert make(tmp_path, "serve", **env) == f"serve in .state/5000, reads {expected}\n"


def test_clean(tmp_path: Path) -> None:
    """``make clean`` removes the state directory, which git ignores."""
    make(tmp_path, "serve")
    make(tmp_path, "clean", "VENV=venv", "BINARY_VENV=venv")
    assert not (tmp_path / ".state").exists()
    assert ".state/" in (ROOT / ".gitignore").read_text().splitlines()
