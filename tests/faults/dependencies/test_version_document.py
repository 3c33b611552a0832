"""The server of the version document fails."""

from __future__ import annotations

import json
from contextlib import ExitStack

import gevent

from tests.faults.conftest import Tally
from tests.support.backend_client import connect, start_task
from tests.support.http.sse_parser import SSEEvent
from tests.support.http.switchable_server import SwitchableServer
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, wait_until

HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b'{"version": "' + b"9" * 4_000_000

FAILURES: dict[str, tuple[str | bytes, str]] = {
    "refuse": ("refuse", "the version document's server could not be reached"),
    "silent": ("silent", "the version document did not come within 2 s"),
    "huge": (HUGE, "the version document is larger than 65536 bytes"),
    "not JSON": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "the version document is not JSON",
    ),
}
"""Each failure: the mode of the server, and the error that browsers get."""


def test_the_version_document_cannot_be_had(tally: Tally) -> None:
    """If the version document is not available, streams open with the version "unknown"."""

    def check(mode: str | bytes, expected: str) -> None:
        with SwitchableServer(mode) as version, ExitStack() as stack:
            env = {"FRONTEND_VERSION_URL": f"http://127.0.0.1:{version.port}/v.json"}
            server = stack.enter_context(GunicornServer(env=env))
            streams = [stack.enter_context(connect(server)) for _ in range(2)]
            for stream in streams:
                event = json.loads(stream.wait_for("version").data)
                assert event == {"version": "unknown", "error": expected}
            task = start_task(server, "demo_task", steps=20, delay=0.002)
            for stream in streams:
                wait_until(lambda s=stream: len(s.poll().events) == 23, "all events")  # type: ignore[misc]
            assert start_task(server, "demo_task", steps=1) != task

    checks = [gevent.spawn(check, mode, expected) for mode, expected in FAILURES.values()]
    gevent.joinall(checks, raise_error=True)
    due = len(FAILURES) * 2 * 23
    tally("version URL down, silent, huge, not JSON", due, due, 'nothing; version "unknown"')


def test_a_slow_version_document_delays_no_stream(tally: Tally) -> None:
    """Streams open and get events while the version document is fetched, and then the version.

    The number of new streams exceeds SSE_MAX_PENDING_CONNECTS, but none of them is refused.
    """
    with SwitchableServer("ok") as version:
        env = {
            "FRONTEND_VERSION_URL": f"http://127.0.0.1:{version.port}/v.json",
            "FRONTEND_VERSION_CACHE_SECONDS": "0",
            "SSE_MAX_PENDING_CONNECTS": "2",
        }
        with GunicornServer(env=env) as server, connect(server) as stream:
            stream.wait_for("version")
            version.mode = "silent"
            with ExitStack() as stack:
                connects = [gevent.spawn(connect, server) for _ in range(5)]
                gevent.joinall(connects, timeout=TIME_LIMIT, raise_error=True)
                waiting = [stack.enter_context(greenlet.get()) for greenlet in connects]
                assert start_task(server, "demo_task", steps=100, delay=0.005)
                events = stream.collect_until(is_last)
                assert len([event for event in events if event.type == "task_event"]) == 102
                for late in waiting:
                    assert json.loads(late.wait_for("version").data)["version"] == "unknown"
    tally("version URL slow while a stream connects", 102, 102, "nothing")


def is_last(event: SSEEvent) -> bool:
    """Return True if a task has completed with this event."""
    return '"task_completed"' in event.data
