"""What gunicorn's arbiter is not allowed to do to streams."""

from __future__ import annotations

import signal

import pytest

from tests.live.actions import connect, start_task, task_story
from tests.support.server import GunicornServer, ServerFailed


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (["--workers", "2"], "one worker only"),
        (["--max-requests", "10"], "leave it at 0"),
    ],
)
def test_settings_that_lose_events_are_refused(argument: list[str], reason: str) -> None:
    """A second worker, or one that ends in between, is refused at start with one line."""
    with pytest.raises(ServerFailed, match=reason) as failed, GunicornServer(*argument):
        pass
    assert "Traceback" not in str(failed.value)


def test_no_worker_is_added_by_a_signal() -> None:
    """SIGTTIN adds no worker: every stream goes on getting every event."""
    with GunicornServer() as server, connect(server) as stream:
        stream.wait_for("version")
        server.send_signal(signal.SIGTTIN)
        server.wait_for_log("SIGTTIN ignored")
        worker = server.worker_pid()
        task_id = start_task(server, "demo_task", steps=1, delay=0)
        assert task_story(stream, task_id)[-1]["event_type"] == "task_completed"
        assert server.worker_pid() == worker
