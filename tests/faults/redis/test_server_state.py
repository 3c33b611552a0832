"""Two servers over one Redis: tasks, versions and streams are the same from each of them."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend_client import connect, start_task, task_events, task_story
from tests.support.http.client import request
from tests.support.processes.redis_server import RedisServer
from tests.support.processes.server import GunicornServer, Server
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("redis")

CONSOLE = {"FLASK_ENV": "development"}

ENOUGH = 6
"""The number of requests after which each of two workers has answered, most likely."""


def env_of(redis: RedisServer, state: Path | None = None) -> dict[str, str]:
    """Return the settings of a server.

    Args:
        redis: what orders the events.
        state: the directory of the server's memory; None: it has none that survives it.
    """
    env = {"FLASK_ENV": "testing", "SSE_BUS_URL": redis.url}
    return env if state is None else {**env, "SSE_STATE_DIR": str(state)}


def call(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Send a request to the API, and return the status and the JSON."""
    response = request(server.port, method, path, json_body=body)
    return response.status, json.loads(response.body) if response.body else None


def listed(server: Server) -> dict[str, str]:
    """Return the statuses of all tasks, newest first."""
    _, page = call(server, "GET", "/api/tasks")
    assert page["incomplete"] is False
    return {task["task_id"]: task["status"] for task in page["tasks"]}


def test_the_state_of_two_servers() -> None:
    """Each worker of one server lists, reads, cancels and removes the tasks of the other one."""
    with (
        RedisServer() as redis,
        GunicornServer(env=env_of(redis), workers=2) as here,
        GunicornServer(env=env_of(redis)) as there,
        connect(here, "browser") as stream,
    ):
        done = start_task(there, "demo_task", steps=1, delay=0)
        running = start_task(there, "demo_task", steps=1000, delay=1)
        assert task_story(stream, done)[-1]["event_type"] == "task_completed"
        expected = {running: "running", done: "completed"}
        _, result = call(there, "GET", f"/api/tasks/{done}/status")
        result.pop("last_event_id")
        for _ in range(ENOUGH):
            assert listed(here) == listed(there) == expected
            status, found = call(here, "GET", f"/api/tasks/{done}/status")
            found.pop("last_event_id")
            assert (status, found) == (200, result)
            assert call(here, "GET", "/api/tasks/unknown/status")[0] == 404
            assert call(here, "DELETE", f"/api/tasks/{running}")[0] == 409
        assert call(here, "POST", f"/api/tasks/{running}/cancel")[1]["status"] == "cancelled"
        assert task_story(stream, running)[-1]["event_type"] == "task_cancelled"
        assert call(here, "DELETE", f"/api/tasks/{done}")[0] == 204
        for server in (here, there):
            assert listed(server) == {running: "cancelled"}
        # A request id moves to the other server: its stream here ends, and its version is there.
        version = {"request_id": "other", "version": "1.2.3"}
        assert call(there, "POST", "/api/testing/deployments/version", version)[0] < 300
        with connect(there, "browser"):
            stream.wait_for_end()
        with connect(here, "other") as other:
            assert json.loads(other.wait_for("version").data)["version"] == "1.2.3"


def test_a_version_that_was_announced_while_redis_was_away() -> None:
    """Once Redis is back, the other server tells it to the browser that is there."""
    with (
        RedisServer() as redis,
        GunicornServer(env=env_of(redis) | {"SSE_BUS_TIMEOUT_SECONDS": "1"}) as here,
        GunicornServer(env=env_of(redis)) as there,
        connect(there, "browser") as stream,
    ):
        stream.wait_for("version")
        redis.kill()
        version = {"request_id": "browser", "version": "1.2.3"}
        call(here, "POST", "/api/testing/deployments/version", version)
        redis.start()
        stream.wait_for(lambda event: event.type == "version" and "1.2.3" in event.data)


def console(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Send a request to the console, and return the JSON."""
    headers = [("Sec-Fetch-Site", "same-origin")]
    answer = request(server.port, method, f"/console/api/{path}", headers=headers, json_body=body)
    assert answer.status in (200, 204), answer
    return json.loads(answer.body) if answer.body else None


def test_the_console_shows_two_servers() -> None:
    """Each lists the streams of both, ends a stream of the other one, and sends to another."""
    with (
        RedisServer() as redis,
        GunicornServer(env=env_of(redis) | CONSOLE) as here,
        GunicornServer(env=env_of(redis) | CONSOLE) as there,
        connect(here, "a") as of_here,
        connect(there, "b") as of_there,
    ):
        of_here.wait_for("version")
        of_there.wait_for("version")
        for server in (here, there):
            page = console(server, "GET", "streams?sort=request_id")
            rows = {row["request_id"]: row for row in page["streams"]}
            assert (page["total"], list(rows)) == (2, ["a", "b"])
            assert len({row["server"] for row in rows.values()}) == 2
        console(here, "POST", f"streams/{rows['b']['token']}/close", {})
        of_there.wait_for_end()
        wait_until(lambda: console(there, "GET", "streams")["total"] == 1, "its end")
        console(there, "POST", "events", {"name": "from-there", "data": 1, "request_id": "a"})
        of_here.wait_for("from-there")


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_server_is_killed_whole(tmp_path: Path, comes_back: bool) -> None:
    """Its task has failed, which browsers of the other server are told once."""
    with contextlib.ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        here = stack.enter_context(GunicornServer(env=env_of(redis)))
        env = env_of(redis, tmp_path)
        there = stack.enter_context(GunicornServer(env=env))
        stream = stack.enter_context(connect(here))
        task = start_task(there, "demo_task", steps=1000, delay=1)
        wait_until(lambda: listed(here) == {task: "running"}, "the task in the other server's list")
        stream.wait_for(lambda event: event.type == "task_event")
        there.kill()
        if comes_back:
            back = stack.enter_context(GunicornServer(env=env))
        assert task_story(stream, task)[-1]["event_type"] == "task_failed"
        if not comes_back:
            assert listed(here) == {}
            back = stack.enter_context(GunicornServer(env=env))
        wait_until(lambda: listed(back) == {task: "failed"}, "the task of the server that is back")
        assert listed(here) == {task: "failed"}
        last = start_task(back, "demo_task", steps=1, delay=0)
        task_story(stream, last)
        ends = [event["event_type"] for event in task_events(stream.events, task)]
        assert ends.count("task_failed") == 1
