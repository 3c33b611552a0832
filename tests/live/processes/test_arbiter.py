"""Settings and signals of gunicorn that would lose events."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.support.backend_client import connect, start_task, task_story
from tests.support.processes.server import ROOT, GunicornServer, Server, ServerFailed
from tests.support.timing import wait_until


@pytest.mark.parametrize(
    ("argument", "env", "reason"),
    [
        (["--workers", "2"], {"SSE_REPLAY": "off"}, "the number of workers is 2, but SSE_REPLAY"),
        (["--max-requests", "10"], {}, "leave it at 0"),
    ],
)
def test_settings_that_lose_events_are_refused(
    argument: list[str], env: dict[str, str], reason: str
) -> None:
    """Workers without a log, or a limit of requests, are refused at the start with one line."""
    with pytest.raises(ServerFailed, match=reason) as failed, GunicornServer(*argument, env=env):
        pass
    assert "Traceback" not in str(failed.value)


def test_no_worker_is_added_by_a_signal() -> None:
    """SIGTTIN adds no worker, and streams still get every event."""
    with GunicornServer() as server, connect(server) as stream:
        stream.wait_for("version")
        server.send_signal(signal.SIGTTIN)
        server.wait_for_log("SIGTTIN ignored")
        worker = server.worker_pid()
        task_id = start_task(server, "demo_task", steps=1, delay=0)
        assert task_story(stream, task_id)[-1]["event_type"] == "task_completed"
        assert server.worker_pid() == worker


def test_no_reload_after_an_upgrade_in_place(tmp_path: Path) -> None:
    """After an upgrade of the files in place, a reload is refused and the old worker goes on."""
    for package in ("app", "gateway_shim"):
        shutil.copytree(ROOT / package, tmp_path / package)
    command = [sys.executable, "-m", "app", "serve"]
    with Server(command, env={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path) as server:
        worker = server.worker_pid()
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "the first worker to end")

        worker = server.worker_pid()
        loaded = tmp_path / "gateway_shim" / "server" / "options.py"
        loaded.write_text(loaded.read_text() + "# new\n")
        server.send_signal(signal.SIGHUP)
        server.wait_for_log(f"reload refused, the running worker continues: {loaded} was replaced")
        assert server.worker_pid() == worker
        with connect(server) as stream:
            stream.wait_for("version")
