"""The end of the backend ends its streams cleanly, with each kind of gateway."""

from __future__ import annotations

import contextlib

from tests.integration.installation import Installation
from tests.support.http.message import Ended


def test_streams_end_with_the_backend(installation: Installation) -> None:
    """The last events of a running task arrive, then ``server_restart`` and a clean end."""
    with contextlib.ExitStack() as stack:
        browsers = [stack.enter_context(installation.connect()) for _ in range(20)]
        installation.wait_for_active(20)
        task_id = installation.start_task("demo_task", steps=3, delay=0.2)
        browsers[0].wait_for("task_event")
        assert installation.backend.terminate() == 0
        for browser in browsers:
            story = browser.task_story(task_id)
            assert story[-1]["event_type"] == "task_completed"
            assert browser.wait_for("server_restart") == {"reason": "server_shutdown"}
            assert browser.stream.wait_for_end() is Ended.CLEAN
            assert browser.messages[-1].name == "server_restart"
            # The first and the last event have a retry. A send over HTTP has no field for it.
            blocks = [part for part in browser.stream.raw.split(b"\n\n") if b"retry:" in part]
            assert len(blocks) == (2 if installation.is_one_process else 0)
            assert all(b"\ndata: {" in block for block in blocks), "a retry in a block of its own"
