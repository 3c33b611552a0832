"""``app:create_app()``, what gunicorn is given."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from flask import Flask

import app as package
from app import create_app
from app.config import InvalidSettings, Settings
from gateway_shim.server.runtime import EXTENSION


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, not measured: what measures imports gevent."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )


def test_with_settings() -> None:
    """The application that the settings ask for, streams included."""
    made = create_app(Settings(_env_file=None, flask_env="testing"))
    assert isinstance(made, Flask)
    assert made.extensions[EXTENSION].gateway is made.extensions["container"].gateway()
    assert made.extensions["container"].settings().is_testing


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Without settings they are read."""
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("HEARTBEAT_INTERVAL_SECONDS", "7")
    made = create_app()
    assert made.extensions["container"].settings().heartbeat_interval_seconds == 7
    monkeypatch.setenv("HEARTBEAT_INTERVAL_SECONDS", "never")
    with pytest.raises(InvalidSettings, match="HEARTBEAT_INTERVAL_SECONDS"):
        create_app()


def test_the_log_is_not_touched() -> None:
    """An embedding program's level and handlers stay; without any, there are none afterwards."""
    program = (
        "from gevent import monkey; monkey.patch_all();"
        "import logging; from app import create_app; from app.config import Settings;"
        "root = logging.getLogger(); root.setLevel('ERROR');"
        "create_app(Settings(_env_file=None, log_level='DEBUG'));"
        "print(root.level == logging.ERROR, root.handlers)"
    )
    assert run(program).stdout == "True []\n"


def test_nothing_happens_at_import() -> None:
    """The arbiter imports the package in an unpatched process: no Flask, no gevent, no log."""
    assert package.__all__ == ["create_app"]
    program = (
        "import sys, logging; import app;"
        "print(sorted({'flask', 'gevent', 'requests', 'ssl'} & set(sys.modules)),"
        " logging.getLogger().handlers)"
    )
    result = run(program)
    assert result.stdout == "[] []\n"


def test_what_the_arbiter_imports_is_not_to_be_patched() -> None:
    """gunicorn.conf.py reads the settings before gevent patches the worker: nothing of ours that
    opens sockets, and no ssl, may come in with it."""
    program = (
        "import sys; import app.config, app.serving.gunicorn_settings, app.logs;"
        "print(sorted({'flask', 'gevent', 'requests', 'urllib3', 'app.factory',"
        " 'app.serving.monolith'}"
        " & set(sys.modules)))"
    )
    result = run(program)
    assert result.stdout == "[]\n"
