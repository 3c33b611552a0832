"""The backend is restarted behind a running gateway, and every stream gets events again."""

from __future__ import annotations

import contextlib
import signal
import uuid
from collections.abc import Iterator

import pytest

from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.streams.callbacks.backend_starts import ASK_SECONDS, SILENCE_SECONDS
from tests.integration.installation import SHIM, Installation, over_http
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

LIMIT = TIME_LIMIT + SILENCE_SECONDS + 2 * ASK_SECONDS


@pytest.fixture
def behind() -> Iterator[Installation]:
    """Start the backend and this package's gateway."""
    with over_http(SHIM, Dialect.NAMED) as running:
        yield running


@contextlib.contextmanager
def restarted_backend(old: Installation) -> Iterator[Installation]:
    """Start the backend again on the same port, behind the same gateway."""
    env = {name: old.backend.env[name] for name in ("FLASK_ENV", "SSE_CALLBACK_SECRET")}
    env["SSE_GATEWAY_URL"] = old.gateway.url
    with GunicornServer("--bind", f"127.0.0.1:{old.backend.port}", env=env) as backend:
        yield Installation(backend, old.gateway, old.dialect)


@pytest.mark.parametrize("end", ["crash", "crash, no connect", "restart"])
def test_streams_come_back_to_the_next_backend(behind: Installation, end: str) -> None:
    """Streams that the new backend does not know end cleanly, and browsers reconnect.

    The gateway notices the new backend at the next connect, or by its own requests.
    """
    names = [str(uuid.uuid4()) for _ in range(5)]
    with contextlib.ExitStack() as stack:
        browsers = [stack.enter_context(behind.connect(name)) for name in names]
        for browser in browsers:
            browser.wait_for("version")
        behind.wait_for_active(5)
        if end == "restart":
            assert behind.backend.terminate() == 0
        else:
            behind.backend.kill()
        again = stack.enter_context(restarted_backend(behind))
        if end == "crash":
            stack.enter_context(again.connect()).wait_for("version")
        for browser in browsers:
            assert browser.stream.wait_for_end(limit=LIMIT) is Ended.CLEAN
            ends = [message.name for message in browser.messages][1:]
            assert ends == (["server_restart"] if end == "restart" else [])
            assert browser.stream.retry is None
        back = [stack.enter_context(again.connect(name)) for name in names]
        again.wait_for_active(6 if end == "crash" else 5)
        task_id = again.start_task("demo_task", steps=2, delay=0)
        for browser in back:
            assert len(browser.task_story(task_id)) == 4
        assert "Traceback" not in again.gateway.log


def test_a_reload_loses_nothing(behind: Installation) -> None:
    """After a reload, the streams of the old worker get every event of its task."""
    with contextlib.ExitStack() as stack:
        browsers = [stack.enter_context(behind.connect()) for _ in range(3)]
        for browser in browsers:
            browser.wait_for("version")
        seconds = SILENCE_SECONDS + 2
        task_id = behind.start_task("demo_task", steps=int(seconds * 10), delay=0.1)
        browsers[0].wait_for("task_event")
        behind.backend.send_signal(signal.SIGHUP)
        behind.backend.wait_for_log("shutdown begins")
        # The old worker has closed the connection of the gateway, so the new worker answers. The
        # gateway waits 5 s for it, and on a busy machine its start takes longer.
        wait_until(
            lambda: request(behind.backend.port, "GET", "/readyz").status == 200,
            "the new worker to be ready",
        )
        newcomer = stack.enter_context(behind.connect())
        newcomer.wait_for("version")
        for browser in browsers:
            assert browser.stream.wait_for_end(limit=LIMIT + seconds) is Ended.CLEAN
            story = [m.data for m in browser.messages if m.name == "task_event"]
            assert story[-1]["event_type"] == "task_completed"
            assert len(story) == int(seconds * 10) + 2
            assert browser.messages[-1].name == "server_restart"
        assert newcomer.stream.poll().ended is None
        assert behind.start_task("demo_task", steps=1, delay=0) != task_id
        assert newcomer.wait_for("task_event")["event_type"] == "task_started"
