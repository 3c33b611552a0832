"""Tests of ``app:create_app()``, which gunicorn calls."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

import app as package
from app import create_app
from app.config import InvalidSettings, Settings
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.server.runtime import EXTENSION
from tests.support.processes.server import ROOT

pytestmark = pytest.mark.slow


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a new process, without coverage, which would import gevent."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )


def test_with_settings() -> None:
    """The application follows the settings and has streams."""
    made = create_app(Settings(_env_file=None, flask_env="testing"))
    assert isinstance(made, Flask)
    assert made.extensions[EXTENSION].gateway is made.extensions["container"].gateway()
    assert made.extensions["container"].settings().is_testing


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Without an argument the settings are read from the environment."""
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("HEARTBEAT_INTERVAL_SECONDS", "7")
    made = create_app()
    assert made.extensions["container"].settings().heartbeat_interval_seconds == 7
    monkeypatch.setenv("HEARTBEAT_INTERVAL_SECONDS", "never")
    with pytest.raises(InvalidSettings, match="HEARTBEAT_INTERVAL_SECONDS"):
        create_app()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("APP_TASKS", "nowhere:Task", "cannot be imported: ModuleNotFoundError"),
        ("APP_TASKS", "app.config:Settings", "is not a subclass of .*BaseTask"),
        ("APP_TASKS", "nonsense", "must look like package.module:ClassName"),
        ("SSE_AUTHORIZE", "nowhere:hook", "cannot import 'nowhere:hook'"),
        ("TASK_FILES_ROOT", "/nowhere/at/all", "."),
    ],
)
def test_a_setting_that_only_the_worker_can_check(
    name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The application cannot be made; the error is one line with the setting and the reason."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfiguration) as refused:
        create_app()
    assert re.fullmatch(f"{name}: .*{why}.*", str(refused.value))


def test_the_log_is_not_touched() -> None:
    """The log level of an embedding program stays, and no handler is added."""
    program = (
        "from gevent import monkey; monkey.patch_all();"
        "import logging; from app import create_app; from app.config import Settings;"
        "root = logging.getLogger(); root.setLevel('ERROR');"
        "create_app(Settings(_env_file=None, log_level='DEBUG'));"
        "print(root.level == logging.ERROR, root.handlers)"
    )
    assert run(program).stdout == "True []\n"


def test_nothing_happens_at_import() -> None:
    """Importing the package imports no Flask and no gevent, and does not touch the log."""
    assert package.__all__ == ["create_app"]
    program = (
        "import sys, logging; import app;"
        "print(sorted({'flask', 'gevent', 'requests', 'ssl'} & set(sys.modules)),"
        " logging.getLogger().handlers)"
    )
    result = run(program)
    assert result.stdout == "[] []\n"


@pytest.mark.parametrize(
    "entry",
    [
        "import app.commands.serve",
        "import app.commands.check",
        "import gateway_shim.standalone.command",
        "import runpy; runpy.run_path('gunicorn.conf.py')",
    ],
)
def test_servers_patch_before_they_import(entry: str) -> None:
    """A server patches for gevent before it imports modules that use sockets, locks or threads."""
    program = f"""
import sys
from gevent import monkey

patch_all = monkey.patch_all

def record():
    imported = {{"ssl", "gunicorn", "requests", "urllib3", "flask", "asyncio", "app.config"}}
    print(sorted(imported & set(sys.modules)))
    patch_all()

monkey.patch_all = record
{entry}
print(sorted({{"socket", "ssl", "threading"}} - set(monkey.saved)))
"""
    assert run(program).stdout.splitlines() == ["[]", "[]"]


@pytest.mark.parametrize(
    "entry",
    ["import app.commands.serve", "import runpy; runpy.run_path('gunicorn.conf.py')"],
)
def test_the_arbiter_does_not_import_the_application(entry: str) -> None:
    """The application is imported in the worker, so that a restarted worker runs changed code."""
    program = (
        f"import sys; {entry};"
        "print(sorted({'flask', 'app.factory', 'app.container', 'app.tasks'} & set(sys.modules)))"
    )
    assert run(program).stdout == "[]\n"
