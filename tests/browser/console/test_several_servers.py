"""Several workers and servers in the console: silent ones, and Redis while it is away."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.browser.console.page_text import complaints
from tests.browser.console.tasks_page import TasksPage
from tests.browser.tabs import Browser, Tab
from tests.support.backend_client import start_task
from tests.support.http.client import request
from tests.support.processes.redis_server import RedisServer
from tests.support.processes.server import GunicornServer, Server
from tests.support.processes.workers import connections_of
from tests.support.timing import wait_until

pytestmark = pytest.mark.needs("chromium", "playwright", "redis")

APPLICATION = "tests.browser.console.quick_samples:create()"

WORKERS = """[...document.querySelectorAll("#figures dt")]
  .find(({ textContent }) => textContent === "Workers").nextElementSibling.textContent"""
"""The figure in words."""

SUMMARY = "document.querySelector('#summary').textContent"


def serve(redis: RedisServer | None = None, workers: int = 1) -> GunicornServer:
    """Return a server that takes samples often, and that closes connections that are idle."""
    env = {"FLASK_ENV": "development", "KEEP_ALIVE_SECONDS": "1"}
    if redis is not None:
        env |= {"SSE_BUS_URL": redis.url, "SSE_BUS_TIMEOUT_SECONDS": "1"}
    return GunicornServer(application=APPLICATION, env=env, workers=workers)


def until(tab: Tab, expression: str) -> None:
    """Wait until a JavaScript expression is true, and show the page if it is not."""
    wait_until(lambda: tab.evaluate(expression), lambda: f"{expression} in\n{tab.text('main')}")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process, which then neither works nor answers, and let it go on at the end."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def worker_of_the_page(server: Server) -> int:
    """Return the number of the worker that has the only stream, from 1."""

    def found() -> int | None:
        answer = json.loads(request(server.port, "GET", "/console/api/streams").body)
        numbers: list[int] = [stream["worker"] for stream in answer["streams"]]
        return numbers[0] if numbers else None

    return wait_until(found, "the stream of the page")


def test_workers(chromium: Browser) -> None:
    """The operations page has a sentence about each worker, and says which one is stuck."""
    with serve(workers=2) as server, chromium.context() as context:
        tab = context.tab(f"{server.url}/console/operations")
        serving = worker_of_the_page(server)
        streams = {1: "0 streams", 2: "0 streams", serving: "1 stream"}
        words = [rf"{number}: {streams[number]}, busy for at most .*" for number in (1, 2)]
        until(tab, rf"/^{words[0]}; {words[1]} MiB$/.test({WORKERS})")
        idle = 3 - serving
        with stopped(server.worker_pids()[idle - 1]):
            until(tab, rf"/{idle}: 0 streams, no figures for \d+ s/.test({WORKERS})")
            until(tab, "document.querySelector('[data-kind=silent_workers]') !== null")
            text = tab.text("[data-kind=silent_workers]")
            assert text.startswith(f"Problem Worker {idle} is stuck for 1")
            assert "s: 0 streams are not served." in text
        until(tab, "document.querySelector('[data-kind=silent_workers]') === null")
        until(tab, rf"/^{words[0]}; {words[1]} MiB$/.test({WORKERS})")
        assert complaints(tab) == []


def test_a_list_of_streams_without_a_worker(chromium: Browser) -> None:
    """The page Streams says that the streams of a silent worker are missing."""
    with serve(workers=2) as server, chromium.context() as context:
        tab = context.tab(f"{server.url}/console/streams")
        serving = worker_of_the_page(server)
        until(tab, f"{SUMMARY} === '1 stream'")
        idle = server.worker_pids()[2 - serving]
        # The browser must not use a connection to the worker that will not answer.
        wait_until(lambda: not connections_of(idle, server.port), "the end of idle connections")
        with stopped(idle):
            words = "1 stream. A process does not answer; its streams are missing."
            tab.click("#refresh")
            until(tab, f"{SUMMARY} === '{words}'")
            tab.fill("#find", "nothing like this")
            until(tab, "!document.querySelector('#empty').hidden")
            assert tab.text("#empty") == "No stream matches the search."
        tab.fill("#find", "")
        until(tab, f"{SUMMARY} === '1 stream'")
        assert complaints(tab) == []


def test_a_list_of_tasks_without_a_server(chromium: Browser) -> None:
    """The page Tasks says that the tasks of a silent server are missing, until it answers again."""
    with (
        RedisServer() as redis,
        serve(redis) as here,
        serve(redis) as there,
        chromium.context() as context,
    ):
        task = start_task(there, "demo_task", steps=1, delay=0)
        page = TasksPage.open(context, here)
        page.wait_for_state(task, "Completed")
        assert page.count_words() == "1 task."
        with stopped(there.worker_pid()):
            page.tab.reload()
            page.wait_until_ready()
            words = "0 tasks. A server does not answer; its tasks are missing."
            assert page.count_words() == words
            assert page.tab.text("#list-empty") == "The servers that answer have no tasks."
        page.wait_for_state(task, "Completed")
        assert page.count_words() == "1 task."
        assert complaints(page.tab) == []


def test_redis_is_away(chromium: Browser) -> None:
    """An open operations page warns while Redis is away, and no more when it is back."""
    with RedisServer() as redis, serve(redis) as server, chromium.context() as context:
        tab = context.tab(f"{server.url}/console/operations")
        until(tab, "document.querySelector('#connection').textContent === 'open'")
        until(tab, "document.querySelector('#as-of').textContent.startsWith('As of')")
        assert tab.evaluate("document.querySelector('[data-kind=bus_problem]') === null")
        redis.kill()
        until(tab, "document.querySelector('[data-kind=bus_problem]') !== null")
        text = tab.text("[data-kind=bus_problem]")
        assert text.startswith("Problem ")
        assert "Until it is ready, new events fail, and those of other servers do not" in text
        assert tab.text("#connection") == "open"
        redis.start()
        until(tab, "document.querySelector('[data-kind=bus_problem]') === null")
        assert complaints(tab) == []
