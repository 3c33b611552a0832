"""What the server depends on fails: the version document, a gateway behind HTTP, a backend."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import gevent
import pytest

from gateway_shim.parity.ports import free_port
from tests.faults.conftest import Tally
from tests.faults.crowd import Crowd
from tests.faults.undisturbed import assert_whole
from tests.support.backend_client import active_streams, connect, start_task
from tests.support.http.client import request
from tests.support.http.stream import Stream, StreamRefused, open_stream
from tests.support.http.switchable_server import SwitchableServer
from tests.support.processes.process_table import descriptors
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import TIME_LIMIT, wait_until

HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b'{"version": "' + b"9" * 4_000_000

VERSIONS = {
    "refuse": ("refuse", "the version document's server could not be reached"),
    "silent": ("silent", "the version document did not come within 2 s"),
    "huge": (HUGE, "the version document is larger than 65536 bytes"),
    "not JSON": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        "the version document is not JSON",
    ),
}


def test_the_version_document_cannot_be_had(tally: Tally) -> None:
    """Whatever its server does: streams open with version "unknown", tasks' events arrive."""

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

    checks = [gevent.spawn(check, mode, expected) for mode, expected in VERSIONS.values()]
    gevent.joinall(checks, raise_error=True)
    due = len(VERSIONS) * 2 * 23
    tally("version URL down, silent, huge, not JSON", due, due, 'nothing; version "unknown"')


def test_a_slow_version_document_holds_nobody_up(tally: Tally) -> None:
    """While it is fetched, streams open and events arrive; the version follows.

    More connect meanwhile than SSE_MAX_PENDING_CONNECTS allows: none of them is refused.
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
                waiting = [stack.enter_context(each.get()) for each in connects]
                assert start_task(server, "demo_task", steps=100, delay=0.005)
                events = stream.collect_until(is_last)
                assert len([event for event in events if event.type == "task_event"]) == 102
                for late in waiting:
                    assert json.loads(late.wait_for("version").data)["version"] == "unknown"
    tally("version URL slow while a stream connects", 102, 102, "nothing")


def is_last(event: object) -> bool:
    """Whether a task has completed with this event."""
    return '"task_completed"' in getattr(event, "data", "")


# ------------------------------------------------------------------ a gateway behind HTTP


class FixedServer(Server):
    """A server on a port that was chosen before: to be started again where it was."""

    def __init__(self, port: int, command: list[str], env: dict[str, str]) -> None:
        super().__init__([part.replace("{port}", str(port)) for part in command], env=env)
        self.port = port
        self.env["PORT"] = str(port)


def test_the_gateway_is_killed_and_comes_back(tally: Tally) -> None:
    """Browsers come back to it; the backend forgets the dead streams and serves the new ones."""
    gateway_port, count = free_port(), 20
    command = [sys.executable, "-m", "gateway_shim", "--host", "127.0.0.1", "--port", "{port}"]
    env = {
        "SSE_GATEWAY_URL": f"http://127.0.0.1:{gateway_port}",
        "SSE_GATEWAY_TIMEOUT_SECONDS": "1",
    }
    with GunicornServer(env=env) as backend:
        shim_env = {"CALLBACK_URL": f"{backend.url}/api/sse/callback"}
        gateway = FixedServer(gateway_port, command, shim_env)
        with gateway, Crowd(gateway_port, count) as crowd:
            task = start_task(backend, "demo_task", steps=20, delay=0.01)
            crowd.wait_for_tasks([task])
            lost = start_task(backend, "demo_task", steps=1000, delay=0.005)
            wait_until(lambda: len(crowd.clients[0].story(lost)) > 20, "some events")
            os.killpg(gateway.pid, signal.SIGKILL)
            gateway.process.wait()
            crowd.wait_until(lambda client: not client.is_open, "see the end")
            lengths = [len(client.story(lost)) for client in crowd.clients]
            for client in crowd.clients:
                steps = [event["data"]["text"] for event in client.story(lost)[1:]]
                assert steps == [f"Step {step} of 1000" for step in range(1, len(steps) + 1)]
            # The task goes on all the while: its end tells that the backend waited for nobody.
            request(backend.port, "POST", f"/api/tasks/{lost}/cancel")
            with FixedServer(gateway_port, command, shim_env):
                crowd.wait_until(lambda client: len(client.lives) == 2, "be back")
                after = start_task(backend, "demo_task", steps=20, delay=0.01)
                crowd.wait_for_tasks([after])
                for story in [*crowd.stories(task), *crowd.stories(after)]:
                    assert_whole(story, 20)
                assert active_streams(backend) == count
                tally(
                    f"SIGKILL of the gateway behind HTTP, {count} streams",
                    2 * 22 * count + max(lengths) * count,
                    2 * 22 * count + sum(lengths),
                    "what was sent while it was away",
                )
                for client in crowd.clients:
                    client.leave()
                wait_until(lambda: active_streams(backend) == 0, "all streams to be gone")
            assert "Traceback" not in backend.log


# ------------------------------------------------------------------ a backend behind HTTP


@pytest.fixture
def shim() -> Iterator[tuple[Server, SwitchableServer]]:
    """The gateway on a port of its own, and the backend that it calls."""
    command = [sys.executable, "-m", "gateway_shim", "--host", "127.0.0.1", "--port", "{port}"]
    with (
        SwitchableServer() as backend,
        Server(command, env={"CALLBACK_URL": backend.url}) as server,
    ):
        yield server, backend


def send(server: Server, token: str, number: int) -> None:
    """Send one event to a stream."""
    body = {"token": token, "event": {"name": "n", "data": str(number)}}
    answer = request(server.port, "POST", "/internal/send", json_body=body)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


MODES = [
    ("close", 503, "BACKEND_UNAVAILABLE"),
    ("garbage", 503, "BACKEND_UNAVAILABLE"),
    (b"HTTP/1.1 599 No\r\nContent-Length: 0\r\n\r\n", 599, "BACKEND_ERROR"),
    (b"HTTP/1.1 500 Oops\r\nContent-Length: 99999\r\n\r\nhalf", 500, "BACKEND_ERROR"),
]


def test_the_backend_misbehaves(shim: tuple[Server, SwitchableServer], tally: Tally) -> None:
    """New streams are refused as the contract says; the open one gets every event."""
    server, backend = shim
    with open_stream(server.port, "/open") as stream:
        (document,) = backend.of("connect")
        token = document["token"]
        worker, sent = server.worker_pid(), 0
        held = descriptors(worker)
        for mode, status, code in MODES:
            backend.mode = mode
            for _ in range(10):
                with pytest.raises(StreamRefused) as refused:
                    open_stream(server.port, "/refused")
                response = refused.value.response
                assert (response.status, response.json()["error"]["code"]) == (status, code)
                send(server, token, sent)
                sent += 1
        backend.mode = "silent"
        asking = [gevent.spawn(refusal, server) for _ in range(50)]
        for _ in range(20):
            send(server, token, sent)
            sent += 1
        # All were sent before the first of them was given up, after five seconds.
        assert not any(greenlet.ready() for greenlet in asking)
        answers = {greenlet.get(timeout=TIME_LIMIT) for greenlet in asking}
        assert answers == {(504, "GATEWAY_TIMEOUT")}
        backend.refuse()
        assert refusal(server) == (503, "BACKEND_UNAVAILABLE")
        send(server, token, sent)
        sent += 1
        wait_until(lambda: len(stream.poll().events) == sent, "every event")
        assert [event.data for event in stream.events] == [str(n) for n in range(sent)]
        wait_until(lambda: descriptors(worker) <= held, "descriptors to be back")
    assert server.terminate() == 0
    assert "Traceback" not in server.log
    tally("backend refuses, is silent, answers garbage", sent, sent, "101 connects refused, 5xx")


def refusal(server: Server) -> tuple[int, str]:
    """Status and code with which a stream is refused."""
    with pytest.raises(StreamRefused) as refused:
        open_stream(server.port, "/refused")
    response = refused.value.response
    return response.status, response.json()["error"]["code"]


def test_disconnects_while_the_backend_is_away(shim: tuple[Server, SwitchableServer]) -> None:
    """Streams end whatever becomes of the callback, and the log says what did not arrive."""
    server, backend = shim
    streams: list[Stream] = [open_stream(server.port, f"/s/{number}") for number in range(20)]
    backend.mode = "close"
    for stream in streams:
        stream.close()
    wait_until(lambda: server.log.count("the callback failed") == 20, "twenty failures")
    backend.mode = "ok"
    with open_stream(server.port, "/after"):
        assert len(backend.of("connect")) == 21
