"""Tests of the place of the log: a worker inherits it from the arbiter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gateway_shim.event_log.places.place import LogPlace, current_place
from tests.support.processes.server import ROOT
from tests.support.timing import TIME_LIMIT


def test_without_an_arbiter_there_is_no_place() -> None:
    """A process that no arbiter has forked has no place."""
    assert current_place() is None


def test_where_the_log_is() -> None:
    """The log has a folder of its own, because other files lie beside it."""
    place = LogPlace(Path("/somewhere"), survives_restart=False)
    assert place.log_directory == Path("/somewhere/log")


def test_a_forked_process_has_the_place() -> None:
    """A process that is forked after the place was set has the same place."""
    script = """
import os
from pathlib import Path
from gateway_shim.event_log.places.place import LogPlace, current_place, set_place
set_place(LogPlace(Path("/somewhere"), survives_restart=True, server="run"))
if os.fork() == 0:
    print(current_place(), flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=True,
    )
    assert done.stdout == f"{LogPlace(Path('/somewhere'), survives_restart=True, server='run')}\n"


def test_each_run_of_a_server_has_a_name() -> None:
    """Two places never have the same name, also in the same directory, and are equal otherwise."""
    first, second = (LogPlace(Path("/somewhere"), survives_restart=True) for _ in range(2))
    assert first.server != second.server
    assert first == second
